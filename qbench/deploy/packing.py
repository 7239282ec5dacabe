"""What of a trained network is packed: the codes it was trained on, their scales and biases."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from qbench.deploy.export import CONVERTIBLE
from qbench.deploy.grids import LOWEST, Grid, affine_grid, symmetric_scale, tensor_grid
from qbench.deploy.packed import MOST_BITS, Codes, Floats, Layer, Packed, identical, pack, unpack
from qbench.experiment import Quant
from qbench.quantize.folding import Affine, affine, foldable
from qbench.quantize.placement import PLACEMENTS, kernels
from qbench.quantize.quantizer import scheme_of
from qbench.quantize.ranges import RangeAverages
from qbench.quantize.rewrite import Rewriter, Tensor, functional, rewrite, walk


def packed_file(model: Any, averages: RangeAverages, quant: Quant) -> bytes:
    """The packed form of a trained network, read back before it is returned.

    Raises:
        ValueError: what was read is not what was written.
    """
    written = contents(model, averages, quant)
    content = pack(written)
    if not identical(unpack(content), written):
        raise ValueError("a packed model does not read back as it was written")
    return content


def contents(model: Any, averages: RangeAverages, quant: Quant) -> Packed:
    """What a network's packed form holds.

    Kernels have the bits they were trained with: 1 to 16; a kernel of more, or that the simulation
    leaves float, has float32 values. Codes are those of the op (signed from -2^(n-1), others from
    0); qdq_v2 that measures its range lets values through for which it has no codes (negative ones
    where unsigned, positive ones where of 1 bit), and they get as many bits as hold them all.
    Activations that the simulation leaves float have the 8-bit grid that an int8 file gives them; a
    network whose activations have more than 16 bits has no grids. A bias is int32 where its layer
    has codes and reads one tensor with a grid, and all its channels fit; otherwise float32, which
    takes as much room.

    Args:
        model: the trained float model.
        averages: its range averages.
        quant: how the run was quantized.
    """
    model = functional(model)
    folds = foldable(model)
    grids = _grids(model, averages, quant)
    reads = _Reads()
    walk(model, reads.call)
    layers = []
    held = {norm.name for norm in folds.values()}
    for layer in model.layers:
        if isinstance(layer, CONVERTIBLE):
            roots = reads.roots[layer.name]
            grid = grids.get(roots[0]) if len(roots) == 1 else None
            layers.append(_layer(layer, folds.get(layer.name), quant, grid))
            held.add(layer.name)
    rest = [layer for layer in model.layers if layer.name not in held]
    others = [np.asarray(weight) for layer in rest for weight in layer.weights]
    floats = tuple(values for values in others if values.dtype == np.float32)
    return Packed(tuple(grids.values()), tuple(layers), floats)


class _Reads(Rewriter):
    """Finds the gathered tensors that each layer reads, in all its calls."""

    def __init__(self) -> None:
        super().__init__(None, None)
        self.roots: dict[str, list[str]] = {}

    def _input(self, op: Any, operands: int, tensor: Tensor) -> Tensor:
        self.roots.setdefault(op.name, []).append(tensor.root.name)
        return tensor

    def _apply(self, op: Any, *args: Any, **kwargs: Any) -> Any:
        return op(*args, **kwargs)


def _grids(model: Any, averages: RangeAverages, quant: Quant) -> dict[str, Grid]:
    """The grid of every gathered tensor, with a scale that float32 holds."""
    if not quant.enabled or quant.bits_of_activations > MOST_BITS:
        return {}
    view = rewrite(model, scheme_of(quant), averages)
    simulated = {insertion.root for insertion in view.insertions}
    found = {}
    for name, (low, high) in zip(averages.tensors, averages.averages.numpy(), strict=True):
        grid = _grid(float(low), float(high), quant if name in simulated else None)
        found[name] = Grid(float(np.float32(grid.scale)), grid.zero_point)
    return found


def _grid(low: float, high: float, quant: Quant | None) -> Grid:
    """As `tensor_grid`, for up to 16 bits; n-bit codes begin at -2^(n-1)."""
    bits = quant.bits_of_activations if quant else 8
    if quant is None or bits <= 8:
        return tensor_grid(low, high, quant)
    scale = symmetric_scale(low, high, bits, signed=True)
    if quant.op == "qdq_v2" and quant.signed and scale:
        return Grid(scale, 0)
    grid = affine_grid(low, high, bits)
    return Grid(grid.scale, grid.zero_point - LOWEST - 2 ** (bits - 1))


def _layer(layer: Any, norm: Any | None, quant: Quant, grid: Grid | None) -> Layer:
    kernel = np.asarray(kernels(layer)[0])
    whole = affine(layer, norm, kernel.shape[-1])
    scheme = scheme_of(quant)
    codes = None
    if scheme and any(PLACEMENTS[name].kernels for name in scheme.placement):
        ends = float(kernel.min()), float(kernel.max())
        kernel = scheme.kernel(tf.constant(kernel), *ends).numpy()
        codes = _codes(kernel, *ends, quant, whole.factor)
    if codes is None:
        return Layer((kernel * whole.factor).astype(np.float32), whole.bias)
    return Layer(codes, _bias(whole, codes, grid))


def _codes(kernel: Floats, low: float, high: float, quant: Quant, factor: Floats) -> Codes | None:
    """The codes of a kernel on its trained grid; None where 16 bits cannot hold them."""
    bits = quant.bits_of_weights
    if bits > MOST_BITS:
        return None
    lowest = zero_point = 0
    if quant.op == "fake_quant":
        grid = affine_grid(low, high, bits)
        step = grid.scale
        zero_point = grid.zero_point - LOWEST if kernel.any() else 0
    else:
        step = symmetric_scale(low, high, bits, quant.signed)
        lowest = -(2 ** (bits - 1)) if quant.signed else 0
    if step == 0:
        return None
    codes = np.rint(kernel / np.float64(step)) + zero_point
    smallest, largest = int(codes.min()), int(codes.max())
    if not lowest <= smallest <= largest < lowest + 2**bits:
        lowest, bits = smallest, max((largest - smallest).bit_length(), 1)
    if bits > MOST_BITS:
        return None
    scales = (step * factor).astype(np.float32)
    scales = scales if np.ptp(scales) else scales[:1]
    return Codes(codes.astype(np.int32), bits, lowest, zero_point, scales)


def _bias(whole: Affine, codes: Codes, grid: Grid | None) -> Any:
    """The bias in steps of input times kernel, where there are such and they hold it."""
    steps = codes.scales * np.float64(grid.scale) if grid else np.zeros(1)
    if not steps.all():
        return whole.bias
    biases = np.rint(whole.bias / steps)
    if np.abs(biases).max() >= 2**31:
        return whole.bias
    return biases.astype(np.int32)
