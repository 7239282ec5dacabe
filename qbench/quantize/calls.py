"""What a call of a layer is: whose code it runs, and calls with other values for variables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import keras

from qbench.base.errors import QbenchError


def is_stock(layer: Any) -> bool:
    """Whether the class of a layer is Keras' own: another may compute whatever it likes."""
    return type(layer).__module__.partition(".")[0] == "keras"


def is_in_inference(kwargs: Mapping[str, Any]) -> bool:
    """Whether a layer is called with `training=False`."""
    given = kwargs.get("training")
    return given is not None and not given


def call_with(wrapper: Any, layer: Any, mapping: Sequence[tuple[Any, Any]], x: Any) -> Any:
    """What a layer gives for x while it reads other values for some of its variables.

    Args:
        wrapper: the Keras layer in whose `call` this happens; the losses that the layer adds are
            its losses.
        layer: any Keras layer.
        mapping: (variable, value) for each variable that is to be replaced.
        x: as the layer takes it.

    All else is as in a call of the layer itself: Keras' stateless scope, which answers the reads,
    holds back losses and assignments (a generator's state that moves on), and they are made up for.

    Raises:
        QbenchError: the layer assigns a variable that is replaced.
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
