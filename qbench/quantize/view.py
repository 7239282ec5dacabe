"""What a rewrite gives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Insertion:
    """One fake-quantization op that a rewrite put into the model.

    Attributes:
        layer: name of the inserted layer, the scope of its ops in a traced graph.
        placement: the rule that asked for it first.
        tensor: what it quantizes: the layer whose output it is, or `<layer> kernel`.
        is_kernel: whether that is a kernel.
        source: where the range comes from (see `qbench.quantize.quantizer`).
        root: the gathered tensor whose values it passes on; itself for most, empty for kernels.
    """

    layer: str
    placement: str
    tensor: str
    is_kernel: bool
    source: str
    root: str = ""


@dataclass(frozen=True)
class View:
    """A rewritten model.

    Attributes:
        model: Keras model from the image to [network output, ranges (n, 2)], where n is the
            number of tensors whose range is gathered.
        tensors: the names of those n tensors; they depend on the network alone.
        insertions: the fake-quantization ops of this view, in the order of the graph.
    """

    model: Any
    tensors: tuple[str, ...]
    insertions: tuple[Insertion, ...]
