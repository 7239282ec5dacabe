"""Functional Keras models built anew, layer by layer, over the same layers."""

from __future__ import annotations

from typing import Any

import keras


def functional(model: Any) -> Any:
    """A sequential model as the functional one that it is."""
    if isinstance(model, keras.Sequential):
        return keras.Model(model.inputs, model.outputs, name=model.name)
    return model


def walk(model: Any, call: Any) -> Any:
    """The model built anew by `call(op, *args, **kwargs)` for each op, over the same layers."""
    model = functional(model)
    return keras.models.clone_model(model, clone_function=lambda layer: layer, call_function=call)
