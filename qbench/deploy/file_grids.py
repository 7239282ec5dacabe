"""What the grids of a file's tensors say about its operators."""

from __future__ import annotations

import numpy as np

from qbench.deploy.file_graph import FileGraph, FileTensor, Operator
from qbench.deploy.grids import LOWEST, Grid

# Operators whose output may have the grid of their input.
_PASSING = frozenset(
    (
        *("AVERAGE_POOL_2D", "BATCH_TO_SPACE_ND", "BROADCAST_TO", "CONCATENATION"),
        *("DEPTH_TO_SPACE", "EXPAND_DIMS", "GATHER", "GATHER_ND", "MAXIMUM", "MAX_POOL_2D"),
        *("MINIMUM", "MIRROR_PAD", "PACK", "PAD", "PADV2", "REDUCE_MAX", "REDUCE_MIN", "RELU"),
        *("RELU6", "RESHAPE", "RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR", "REVERSE_V2", "SLICE"),
        *("SPACE_TO_BATCH_ND", "SPACE_TO_DEPTH", "SPLIT", "SPLIT_V", "SQUEEZE", "STRIDED_SLICE"),
        *("TILE", "TRANSPOSE", "UNPACK"),
    )
)
# The relative tolerance of scales: they are float32 in the file and float64 here.
SAME = 2e-6


def is_float(op: Operator) -> bool:
    """Whether an operator computes in float."""
    floats = any(tensor.dtype == "float32" for tensor in (*op.reads, *op.makes))
    return floats and op.name not in ("QUANTIZE", "DEQUANTIZE")


def is_integer_constant(tensor: FileTensor) -> bool:
    """Whether a tensor is a constant of several values on a grid of eight bits."""
    several = tensor.is_constant and not tensor.is_number
    return several and tensor.has_grid and tensor.dtype == "int8"


def is_on(tensor: FileTensor, grid: Grid | None) -> bool:
    """Whether a tensor of the file is int8 and has exactly this grid."""
    return (
        grid is not None
        and tensor.dtype == "int8"
        and len(tensor.scales) == 1
        and bool(np.isclose(tensor.scales[0], grid.scale, rtol=SAME, atol=0))
        and tensor.zero_point == grid.zero_point
    )


def takes(graph: FileGraph, grid: Grid | None) -> bool:
    """Whether the input of a file has this grid; an input of uint8 has its codes from 0 on."""
    image, first = graph.image, graph.signed_image
    if image.dtype != "uint8" or first is None:
        return is_on(image, grid)
    same = np.array_equal(image.scales, first.scales)
    return same and image.zero_point == first.zero_point - LOWEST and is_on(first, grid)


def keeps_grid(op: Operator, tensor: FileTensor) -> bool:
    """Whether an operator passes on values, and its output `tensor` has the grid of its inputs."""
    if op.name not in _PASSING:
        return False
    data = [read for read in op.reads if not read.is_constant and read.has_grid]
    return bool(data) and all(
        tensor.dtype == read.dtype
        and tensor.zero_point == read.zero_point
        and np.array_equal(tensor.scales, read.scales)
        for read in data
    )
