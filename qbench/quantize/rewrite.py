"""Rewrites a functional Keras model into a view that quantizes, over the same variables."""

from __future__ import annotations

from typing import Any

import keras

from qbench.quantize.analysis import analyse
from qbench.quantize.construction import construct
from qbench.quantize.folded import WithFoldedKernel
from qbench.quantize.insertion_plan import (
    Fused,
    HeldInInference,
    InsertionPlan,
    PlannedCall,
    QuantizedKernel,
    QuantizedTensor,
)
from qbench.quantize.layers import (
    FakeQuantize,
    FusedBatchNormalization,
    InInference,
    MeasureRange,
    StackRanges,
    WithQuantizedKernel,
)
from qbench.quantize.ranges import RangeAverages
from qbench.quantize.scheme import QuantizationScheme
from qbench.quantize.tensors import keras_tensors
from qbench.quantize.view import View


def rewrite(
    model: Any, scheme: QuantizationScheme | None, averages: RangeAverages | None = None
) -> View:
    """Make a view of `model` that gathers ranges and, with a scheme, quantizes.

    Args:
        model: a model that `analyse` accepts; it is not changed.
        scheme: what to quantize and how; None leaves every tensor float.
        averages: needed with a scheme: the averages that the model's float view gathers.

    Raises:
        QbenchError: see `analyse`.
    """
    return view_of(model, analyse(model, scheme), averages)


def view_of(model: Any, plan: InsertionPlan, averages: RangeAverages | None = None) -> View:
    """The view of a model that a plan describes; arguments as for `rewrite`."""
    parts = _ViewParts(plan, averages)
    built = construct(model, plan, parts)
    measured = [parts.range_of(name, built.values[name]) for name in plan.tensors]
    ranges = StackRanges(name=plan.collector)(measured)
    view = keras.Model(built.inputs, [built.output, ranges], name=model.name)
    values = [built.quantized.get(name, built.values[name]) for name in plan.tensors]
    return View(view, plan.tensors, plan.insertions, tuple(values))


class _ViewParts:
    """Inserts fake quantization and measured ranges into a model that reads another's variables."""

    def __init__(self, plan: InsertionPlan, averages: RangeAverages | None) -> None:
        self._averages = averages
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
        layer = FakeQuantize(planned.quantizer, self._averages, planned.row, planned.layer)
        return layer(value, *self.range_of(planned.root, root))

    def called(self, call: PlannedCall, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        op, planned = call.op, call.stand_in
        if isinstance(planned, QuantizedKernel):
            return _with_kernel(op, planned)(*args, **kwargs)
        if isinstance(planned, Fused):
            return FusedBatchNormalization(op, planned.layer, planned.freeze)(args[0])
        if isinstance(planned, HeldInInference):
            return _in_inference(op, planned, args, kwargs)
        return op(*args, **kwargs)


def _with_kernel(op: Any, planned: QuantizedKernel) -> Any:
    if planned.norm is None:
        return WithQuantizedKernel(op, planned.quantizer, planned.layer)
    return WithFoldedKernel(op, planned.norm, planned.quantizer, planned.freeze, planned.layer)


def _in_inference(
    op: Any, planned: HeldInInference, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    """The result of a call that computes as in inference."""
    rest = {name: value for name, value in kwargs.items() if name != "training"}
    tensors = {name: value for name, value in rest.items() if keras_tensors(value)}
    constants = {name: value for name, value in rest.items() if name not in tensors}
    return InInference(op, planned.layer, constants)(*args, **tensors)
