"""Functional Keras models built anew, layer by layer, over the same layers."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

import keras

from qbench.base.keras_private import call_dense


def functional(model: Any) -> Any:
    """A sequential model as the functional one that it is."""
    if isinstance(model, keras.Sequential):
        return keras.Model(model.inputs, model.outputs, name=model.name)
    return model


def walk(model: Any, call: Any) -> Any:
    """The model built anew by `call(op, *args, **kwargs)` for each op, over the same layers.

    Tensors come as the first arguments, in the order of the op's own parameters, however they were
    given when the network was built. `training` comes only where it was given, as something else
    than its default: Keras notes the default too, and overrules it when a model is called.
    """

    def in_order(op: Any, *args: Any, **kwargs: Any) -> Any:
        if "training" in kwargs and _is_default(op, "training", kwargs["training"]):
            del kwargs["training"]
        tensors = _given_by_name(op, len(args), kwargs)
        rest = {name: value for name, value in kwargs.items() if name not in tensors}
        output = call(op, *args, *tensors.values(), **rest)
        for tensor in filter(keras.utils.is_keras_tensor, keras.tree.flatten(output)):
            call_dense(tensor)
        return output

    model = functional(model)
    return keras.models.clone_model(
        model, clone_function=lambda layer: layer, call_function=in_order
    )


def readers(model: Any) -> dict[str, list[str]]:
    """By the name of each layer and operation, the names of those that read what it makes."""
    found: dict[str, list[str]] = {}
    producers: dict[int, str] = {}
    held = []  # the tensors, so that their ids stay their own

    def call(op: Any, *args: Any, **kwargs: Any) -> Any:
        for tensor in filter(keras.utils.is_keras_tensor, keras.tree.flatten((args, kwargs))):
            if id(tensor) in producers:
                found.setdefault(producers[id(tensor)], []).append(op.name)
        output = op(*args, **kwargs)
        held.append(output)
        producers.update(
            {
                id(tensor): op.name
                for tensor in keras.tree.flatten(output)
                if keras.utils.is_keras_tensor(tensor)
            }
        )
        return output

    walk(model, call)
    return found


def _given_by_name(op: Any, given: int, kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """Of the arguments given by name the tensors that could have been given by position."""
    found: dict[str, Any] = {}
    for parameter in list(inspect.signature(op.call).parameters.values())[given:]:
        if parameter.kind is not parameter.POSITIONAL_OR_KEYWORD:
            break
        values = keras.tree.flatten(kwargs.get(parameter.name))
        if not values or not all(map(keras.utils.is_keras_tensor, values)):
            break
        found[parameter.name] = kwargs[parameter.name]
    return found


def _is_default(op: Any, name: str, value: Any) -> bool:
    """Whether an argument of an op has the value that it has when it is left out."""
    parameter = inspect.signature(op.call).parameters.get(name)
    return parameter is not None and parameter.default is value
