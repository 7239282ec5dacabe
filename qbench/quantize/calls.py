"""Calls of layers: whose code a call runs, and calls with other values for variables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import keras

from qbench.base.errors import QbenchError


def is_stock(layer: Any) -> bool:
    """Whether the class of a layer is Keras' own; another class may compute anything."""
    return type(layer).__module__.partition(".")[0] == "keras"


def is_in_inference(kwargs: Mapping[str, Any]) -> bool:
    """Whether a layer is called with `training=False`."""
    given = kwargs.get("training")
    return given is not None and not given


def call_with(wrapper: Any, layer: Any, mapping: Sequence[tuple[Any, Any]], x: Any) -> Any:
    """Call a layer on x, with other values in place of some of its variables.

    Args:
        wrapper: the Keras layer whose `call` makes this call; it gets the losses that `layer` adds.
        layer: any Keras layer.
        mapping: (variable, value) for each variable that gets another value.
        x: the input that the layer takes.

    Everything else is the same as in a direct call of the layer. Keras' stateless scope answers the
    reads of variables. The scope holds back losses and assignments (for example the next state of a
    generator); this function applies them afterwards.

    Raises:
        QbenchError: the layer assigns one of the variables in `mapping`.
    """
    kept = {id(variable) for variable, _ in mapping}
    others = [v for v in (*layer.variables, *layer.metrics_variables) if id(v) not in kept]
    with keras.StatelessScope(state_mapping=mapping, collect_losses=True) as scope:
        given = [scope.get_current_value(variable) for variable, _ in mapping]
        output = layer(x)
    for (variable, _), value in zip(mapping, given, strict=True):
        if scope.get_current_value(variable) is not value:
            raise QbenchError(
                f"{layer.name}: the layer assigns its {variable.name} when it is called; a kernel"
                " that is quantized can only be read."
            )
    for variable in others:
        value = scope.get_current_value(variable)
        if value is not None:
            variable.assign(value)
    if scope.losses:
        wrapper.add_loss(scope.losses)
    return output
