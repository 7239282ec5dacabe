"""The graph of a LiteRT file: its operators, and the grids of their inputs and outputs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qbench.deploy.integer.graph import read_operators


@dataclass(frozen=True, eq=False)
class FileTensor:
    """A tensor of a file.

    Attributes:
        index: the number of the tensor in the file.
        scopes: the scopes of the last op that the converter fused into the operator that makes it.
        dtype: the name of its dtype.
        scales: float32, (1,) or, for a kernel, (channels,); empty if the tensor has no grid.
        zero_point: the code of 0.
        is_constant: whether its values are stored in the file.
        is_number: whether it has one value, which its own grid holds exactly.
    """

    index: int
    scopes: tuple[str, ...]
    dtype: str
    scales: NDArray[np.float32]
    zero_point: int
    is_constant: bool
    is_number: bool

    @property
    def has_grid(self) -> bool:
        """Whether the tensor has an integer grid."""
        return len(self.scales) > 0 and self.dtype in ("int8", "uint8", "int16")


@dataclass(frozen=True, eq=False)
class Operator:
    """An operator of a file, with its inputs and outputs."""

    name: str
    reads: tuple[FileTensor, ...]
    makes: tuple[FileTensor, ...]


@dataclass(frozen=True, eq=False)
class FileGraph:
    """The input of a file and its operators in order."""

    image: FileTensor
    operators: tuple[Operator, ...]

    @property
    def signed_image(self) -> FileTensor | None:
        """The int8 codes of an input of uint8, which its first operator makes; None otherwise."""
        for op in self.operators if self.image.dtype == "uint8" else ():
            if op.name == "QUANTIZE" and op.reads == (self.image,) and op.makes[0].dtype == "int8":
                return op.makes[0]
        return None

    @property
    def tensors(self) -> list[FileTensor]:
        """All tensors, each one once."""
        every = [tensor for op in self.operators for tensor in (*op.reads, *op.makes)]
        return list({tensor.index: tensor for tensor in [self.image, *every]}.values())


def read_graph(content: bytes, interpreter: Any) -> FileGraph:
    """Read the graph of a file with one input.

    Args:
        content: the content of the file.
        interpreter: an interpreter that has opened the file.

    Raises:
        QbenchError: the file is damaged.
    """
    details = {tensor["index"]: tensor for tensor in interpreter.get_tensor_details()}
    ops = read_operators(content)
    entry = int(interpreter.get_input_details()[0]["index"])
    made = {entry, *(k for op in ops for k in op.outputs)}
    tensors = {index: _tensor(detail, made) for index, detail in details.items()}

    def named(indices: Iterable[int]) -> tuple[FileTensor, ...]:
        return tuple(tensors[k] for k in indices if k in tensors)

    operators = [Operator(op.name, named(op.inputs), named(op.outputs)) for op in ops]
    return FileGraph(tensors[entry], tuple(operators))


def _tensor(detail: dict[str, Any], made: set[int]) -> FileTensor:
    index, grid = int(detail["index"]), detail["quantization_parameters"]
    return FileTensor(
        index,
        tuple(detail["name"].partition(";")[0].split("/")),
        np.dtype(detail["dtype"]).name,
        np.asarray(grid["scales"], np.float32),
        int(grid["zero_points"][0]) if len(grid["zero_points"]) else 0,
        index not in made,
        bool(np.prod(detail["shape"]) == 1),
    )
