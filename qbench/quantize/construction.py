"""Builds a model from a plan: the layers stay, the caller gives the parts between them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import keras

from qbench.quantize.insertion_plan import (
    FoldedAway,
    InsertionPlan,
    PlannedCall,
    QuantizedTensor,
    Read,
)
from qbench.quantize.tensors import is_float, keras_tensors
from qbench.quantize.walk import walk


class Parts(Protocol):
    """The parts that a construction inserts into the model."""

    def quantized(self, planned: QuantizedTensor, value: Any, root: Any) -> Any:
        """The quantized value of a tensor.

        Args:
            planned: the tensor in the plan.
            value: the symbolic value of the tensor.
            root: the symbolic value of the tensor whose range counts.
        """

    def called(self, call: PlannedCall, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """The result of a call; `args` and `kwargs` are quantized where the plan says so."""


@dataclass(frozen=True, eq=False)
class Constructed:
    """A model that was built from a plan.

    Attributes:
        inputs: the symbolic inputs of the model.
        output: the symbolic output of the model.
        values: the symbolic value of every tensor, by name.
        quantized: the symbolic value of every quantized tensor, by name.
    """

    inputs: Any
    output: Any
    values: Mapping[str, Any]
    quantized: Mapping[str, Any]


def construct(model: Any, plan: InsertionPlan, parts: Parts) -> Constructed:
    """Build the model that a plan describes.

    Args:
        model: the model that was analysed.
        plan: the insertion plan.
        parts: the parts to insert. `construct` asks for each quantized tensor once, and never asks
            for calls that are folded away.
    """
    construction = _Construction(plan, parts)
    clone = walk(model, construction.call)
    (value,) = clone.outputs
    output = construction.read(plan.last, value)
    return Constructed(clone.inputs, output, construction.values, construction.quantized)


class _Construction:
    """One construction. The walk passes every call of the model to `call`, in order."""

    def __init__(self, plan: InsertionPlan, parts: Parts) -> None:
        self._calls = iter(plan.calls)
        self._parts = parts
        self.values: dict[str, Any] = {}
        self.quantized: dict[str, Any] = {}

    def call(self, op: Any, *args: Any, **kwargs: Any) -> Any:
        call = next(self._calls)
        if call.op is not op:
            raise ValueError(f"the plan has {call.op.name} where the model has {op.name}")
        reads = iter(call.reads)

        def in_place_of(leaf: Any) -> Any:
            return self.read(next(reads), leaf) if is_float(leaf) else leaf

        args, kwargs = keras.tree.map_structure(in_place_of, (args, kwargs))
        folded = isinstance(call.stand_in, FoldedAway)
        output = args[0] if folded else self._parts.called(call, args, kwargs)
        self.values |= zip(call.makes, keras_tensors(output), strict=True)
        return output

    def read(self, read: Read, value: Any) -> Any:
        """The value that is read in place of a tensor."""
        self.values.setdefault(read.tensor, value)  # the image, which no call makes
        planned = read.quantized
        if planned is None:
            return value
        if read.tensor not in self.quantized:
            root = self.values[planned.root]
            self.quantized[read.tensor] = self._parts.quantized(planned, value, root)
        return self.quantized[read.tensor]
