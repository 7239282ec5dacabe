"""The result of a rewrite."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from qbench.quantize.insertion_plan import Insertion


@dataclass(frozen=True)
class View:
    """A rewritten model.

    Attributes:
        model: Keras model from the image to [network output, ranges (n, 2)], where n is the
            number of tensors whose range is gathered.
        tensors: the names of these n tensors; they depend only on the network.
        insertions: the fake-quantization ops of this view, in the order of the graph.
        values: the Keras tensors of the n tensors, quantized where the view quantizes them.
    """

    model: Any
    tensors: tuple[str, ...]
    insertions: tuple[Insertion, ...]
    values: tuple[Any, ...]
