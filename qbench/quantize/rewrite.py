"""Rewrites a functional Keras model into a view that quantizes, over the same variables."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any, cast

import keras
import tensorflow as tf

from qbench.quantize.analysis import analyse
from qbench.quantize.construction import Computation, Part, construct
from qbench.quantize.folded import WithFoldedKernel
from qbench.quantize.insertion_plan import (
    Fused,
    Gated,
    HeldInInference,
    InsertionPlan,
    PlannedCall,
    QuantizedKernel,
    QuantizedSlopes,
    QuantizedTensor,
)
from qbench.quantize.layers import (
    FakeQuantize,
    FusedBatchNormalization,
    GatedByItself,
    InInference,
    MeasureRange,
    StackRanges,
    WithQuantizedKernel,
    WithQuantizedSlopes,
)
from qbench.quantize.ranges import RangeAverages
from qbench.quantize.scheme import QuantizationScheme
from qbench.quantize.states import NO_STATES, States
from qbench.quantize.tensors import keras_tensors
from qbench.quantize.view import View


def rewrite(
    model: Any,
    scheme: QuantizationScheme | None,
    averages: RangeAverages | None = None,
    states: States = NO_STATES,
) -> View:
    """Make a view of `model` that gathers ranges and, with a scheme, quantizes.

    Args:
        model: a model that `analyse` accepts; it is not changed.
        scheme: what to quantize and how; None leaves every tensor float.
        averages: needed with a scheme: the averages that the model's float view gathers.
        states: the variables of the scheme's quantizers, if it keeps any.

    Raises:
        QbenchError: see `analyse`.
    """
    return view_of(model, analyse(model, scheme), averages, states)


def view_of(
    model: Any,
    plan: InsertionPlan,
    averages: RangeAverages | None = None,
    states: States = NO_STATES,
) -> View:
    """The view of a model that a plan describes; arguments as for `rewrite`."""
    parts = _ViewParts(plan, averages, states)
    built = construct(model, plan, parts)
    measured = [parts.range_of(name, built.values[name]) for name in plan.tensors]
    ranges = StackRanges(name=plan.collector)(measured)
    view = keras.Model(built.inputs, [built.output, ranges], name=model.name)
    values = [built.quantized.get(name, built.values[name]) for name in plan.tensors]
    return View(view, plan.tensors, plan.insertions, tuple(values))


def inference_of(
    model: Any,
    scheme: QuantizationScheme | None,
    averages: RangeAverages | None = None,
    states: States = NO_STATES,
) -> Computation:
    """A layer that computes what the view computes in inference: network input -> output.

    It gathers no ranges, and making it takes much less time. Arguments and errors as for `rewrite`.
    """
    plan = analyse(model, scheme)
    return Computation(model, plan, lambda: _InferenceParts(plan, averages, states))


def part_of(
    model: Any,
    scheme: QuantizationScheme,
    states: States,
    calls: Sequence[int],
    given: Sequence[str],
    makes: Sequence[str],
) -> Part:
    """A layer that computes some calls of a view that quantizes kernels only; see `Part`."""
    plan = analyse(model, scheme)
    return Part(model, plan, lambda: _InferenceParts(plan, None, states), calls, given, makes)


class _ViewParts:
    """Inserts fake quantization and measured ranges into a model that reads another's variables."""

    def __init__(self, plan: InsertionPlan, averages: RangeAverages | None, states: States) -> None:
        self._plan = plan
        self._averages = averages
        self._states = states
        self._planned = {one.tensor: one for one in plan.ranges}
        self._ranges: dict[str, Any] = {}

    def range_of(self, name: str, value: Any) -> Any:
        """The symbolic minimum and maximum of a tensor, measured once."""
        if name not in self._ranges:
            planned = self._planned[name]
            self._ranges[name] = MeasureRange(planned.smallest, planned.layer)(value)
        return self._ranges[name]

    def quantized(self, planned: QuantizedTensor, value: Any, root: Any) -> Any:
        assert self._averages is not None
        state = self._states.of_tensor(self._plan.range_owner(planned.root))
        layer = FakeQuantize(planned.quantizer, self._averages, planned.row, planned.layer, state)
        return layer(value, *self.range_of(planned.root, root))

    def called(self, call: PlannedCall, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        op, planned = call.op, call.stand_in
        if isinstance(planned, QuantizedKernel):
            return self._with_kernel(op, planned)(*args, **kwargs)
        if isinstance(planned, Fused):
            return FusedBatchNormalization(op, planned.layer, planned.freeze)(args[0])
        if isinstance(planned, Gated):
            penalty = getattr(op, "activity_regularizer", None)
            return GatedByItself(planned.gate, planned.layer, penalty)(args[0])
        if isinstance(planned, QuantizedSlopes):
            return WithQuantizedSlopes(op, planned.quantizer, planned.layer)(args[0])
        if isinstance(planned, HeldInInference):
            return _in_inference(op, planned, args, kwargs)
        return op(*args, **kwargs)

    def _with_kernel(self, op: Any, planned: QuantizedKernel) -> Any:
        quantizer, layer = planned.quantizer, planned.layer
        if planned.norm is None:
            return WithQuantizedKernel(op, quantizer, layer, self._states)
        norm, freeze = planned.norm, planned.freeze
        return WithFoldedKernel(op, norm, quantizer, freeze, layer, self._states, planned.constant)


class _InferenceParts(_ViewParts):
    """The same in inference, where no measured range is read."""

    def __init__(self, plan: InsertionPlan, averages: RangeAverages | None, states: States) -> None:
        super().__init__(plan, averages, states)
        if averages is not None:
            self._averages = cast(RangeAverages, _Stored(averages))

    def range_of(self, name: str, value: Any) -> Any:
        """Nothing, because nothing reads it."""
        return None, None


class _Stored:
    """The averages as numbers, read once; inference reads nothing else of `RangeAverages`."""

    def __init__(self, averages: RangeAverages) -> None:
        self._averages = averages

    @cached_property
    def _ends(self) -> list[Any]:
        return list(tf.unstack(tf.reshape(self._averages.averages.value, [-1])))

    def stored(self, row: int) -> tuple[Any, Any]:
        """See `RangeAverages`."""
        return self._ends[2 * row], self._ends[2 * row + 1]


def _in_inference(
    op: Any, planned: HeldInInference, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    """The result of a call that computes as in inference."""
    rest = {name: value for name, value in kwargs.items() if name != "training"}
    tensors = {name: value for name, value in rest.items() if keras_tensors(value)}
    constants = {name: value for name, value in rest.items() if name not in tensors}
    return InInference(op, planned.layer, constants)(*args, **tensors)
