"""What a rewrite knows of the tensors of a model, and of the ops that read them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from qbench.quantize.placement import is_concatenation, reads_to_add

IMAGE = "image"


@dataclass(eq=False)
class Tensor:
    """What the rewriter knows about one tensor of the view under construction.

    Attributes:
        value: the Keras tensor, held so that its id stays its own.
        name: the layer whose output it is.
        producer: that layer, None for the model's input.
        root: the tensor whose values this one passes on, or whose grid it keeps; itself for most.
        is_quantized: its values lie on a grid already.
        range: the two scalar Keras tensors measured of a root, once it is gathered.
        row: the root's row among the gathered tensors.
        depth: the largest number of convolutions on a way from the image.
        quantized: its quantized self, once somebody asked for it.
    """

    value: Any
    name: str
    producer: Any = None
    root: Tensor = field(init=False)
    is_quantized: bool = False
    range: Any = None
    row: int = -1
    depth: int = 0
    quantized: Tensor | None = None

    def __post_init__(self) -> None:
        self.root = self


@dataclass(frozen=True)
class Reader:
    """An op and what it reads.

    Attributes:
        op: the layer or operation.
        operands: how many tensors it reads.
        depth: of the deepest of them.
    """

    op: Any
    operands: int
    depth: int

    @property
    def joins(self) -> bool:
        """Whether it is an addition or a concatenation of several tensors."""
        return reads_to_add(self.op, self.operands) or is_concatenation(self.op)


def unique(name: str, taken: set[str]) -> str:
    """`name`, numbered if it is taken already: a layer may be called more than once."""
    unique, k = name, 1
    while unique in taken:
        k += 1
        unique = f"{name}.{k}"
    taken.add(unique)
    return unique
