"""Builds or computes what a plan describes: the layers stay, the caller gives the parts between."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
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
from qbench.quantize.tensors import IMAGE, Call, graph_of, is_float, keras_tensors
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


class Computation(keras.layers.Layer):
    """Computes in inference what a plan describes, without a model; making it costs nothing.

    It calls the same layers in the same order as the model that `construct` builds.
    """

    def __init__(self, model: Any, plan: InsertionPlan, parts: Callable[[], Parts]) -> None:
        """Arguments as for `construct`; `parts` makes new parts for each call."""
        super().__init__(name=model.name)
        self._held = _Held((model, plan, parts))

    def call(self, image: Any, training: bool = False) -> Any:
        """The output of the network for its input (N, H, W, C) float32, or a list of this input."""
        (image,) = keras.tree.flatten(image)
        model, plan, parts = self._held.value
        construction, graph = _Construction(plan, parts()), graph_of(model)
        known = {IMAGE: image}

        def value_of(leaf: Any) -> Any:
            return known[graph.symbols.get(id(leaf), IMAGE)]

        for call in graph.calls:
            known |= construction.compute(call, value_of)
        return construction.read(plan.last, known[graph.output.name])


class Part(keras.layers.Layer):
    """Computes some calls of what a plan describes, from tensors that are known; without a model.

    It calls the same layers in the same order as the model that `construct` builds.
    """

    def __init__(
        self,
        model: Any,
        plan: InsertionPlan,
        parts: Callable[[], Parts],
        calls: Sequence[int],
        given: Sequence[str],
        makes: Sequence[str],
    ) -> None:
        """Arguments as for `Computation`, and the division.

        Args:
            model: the model that was analysed.
            plan: the insertion plan.
            parts: makes new parts for each call.
            calls: the numbers of the calls in the plan, in order.
            given: the names of the known tensors.
            makes: the names of the tensors to return; nothing for the output of the network.
        """
        super().__init__(name=model.name)
        self._held = _Held((model, plan, parts))
        self._division = _Held((tuple(calls), tuple(given), tuple(makes)))

    def call(self, values: Any, training: bool = False) -> Any:
        """The list of tensors to return, or the output, for the list of known tensors."""
        model, plan, parts = self._held.value
        calls, given, makes = self._division.value
        graph = graph_of(model)
        construction = _Construction(plan, parts(), [plan.calls[number] for number in calls])
        known = dict(zip(given, values, strict=True))

        def value_of(leaf: Any) -> Any:
            return known[graph.symbols.get(id(leaf), IMAGE)]

        for number in calls:
            known |= construction.compute(graph.calls[number], value_of)
        if makes:
            return [known[name] for name in makes]
        return construction.read(plan.last, known[graph.output.name])


@dataclass(frozen=True)
class _Held:
    """Holds objects that Keras must not track as attributes of a layer."""

    value: Any


class _Construction:
    """One construction. The walk passes every call of the model to `call`, in order."""

    def __init__(
        self, plan: InsertionPlan, parts: Parts, calls: Sequence[PlannedCall] | None = None
    ) -> None:
        """`calls` are some of the plan's calls; None for all of them."""
        self._calls = iter(plan.calls if calls is None else calls)
        self._parts = parts
        self.values: dict[str, Any] = {}
        self.quantized: dict[str, Any] = {}

    def call(self, op: Any, *args: Any, **kwargs: Any) -> Any:
        """The symbolic result of a call in place of that of the model."""
        call, output = self._called(op, (args, kwargs), lambda leaf: leaf)
        self.values |= zip(call.makes, keras_tensors(output), strict=True)
        return output

    def compute(self, call: Call, value_of: Callable[[Any], Any]) -> dict[str, Any]:
        """The values that a call makes in inference, by name.

        Args:
            call: the next call of the model.
            value_of: returns the value in place of a symbolic tensor.
        """
        kwargs = {key: value for key, value in call.kwargs.items() if key != "training"}
        planned, output = self._called(call.op, (call.args, kwargs), value_of)
        made = dict(zip(planned.makes, keras.tree.flatten(output), strict=True))
        self.values |= made
        return made

    def _called(
        self, op: Any, given: tuple[Any, Any], value_of: Callable[[Any], Any]
    ) -> tuple[PlannedCall, Any]:
        call = next(self._calls)
        if call.op is not op:
            raise ValueError(f"the plan has {call.op.name} where the model has {op.name}")
        reads = iter(call.reads)

        def in_place_of(leaf: Any) -> Any:
            if not keras.utils.is_keras_tensor(leaf):
                return leaf
            value = value_of(leaf)
            return self.read(next(reads), value) if is_float(leaf) else value

        args, kwargs = keras.tree.map_structure(in_place_of, given)
        folded = isinstance(call.stand_in, FoldedAway)
        return call, args[0] if folded else self._parts.called(call, args, kwargs)

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
