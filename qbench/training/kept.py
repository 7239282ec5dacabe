"""The variables of a model that keep their values between steps, and what follows from them."""

from __future__ import annotations

from typing import Any

import keras

from qbench.base.authored import author_model
from qbench.base.keras_private import layers_within


def kept(model: Any) -> list[Any]:
    """The variables of a model that keep their values after a step: all except generator states.

    They are those of the model that the network's author wrote: a model inside it may have layers
    that the network does not need.
    """
    owner = author_model(model)
    return [*owner.weights, *owner.metrics_variables]


def settle(model: Any) -> None:
    """Compute what layers hold beside their variables, after the variables have got new values.

    A Normalization layer computes with copies of its mean and variance.
    """
    for layer in layers_within(model):
        if isinstance(layer, keras.layers.Normalization):
            layer.finalize_state()
