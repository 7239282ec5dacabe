"""Builds functional Keras models again, layer by layer, over the same layers."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any
from weakref import WeakKeyDictionary

import keras

from qbench.base.keras_private import call_dense


def functional(model: Any) -> Any:
    """A sequential model as a functional model; other models as they are."""
    if isinstance(model, keras.Sequential):
        return keras.Model(model.inputs, model.outputs, name=model.name)
    return model


def walk(model: Any, call: Any) -> Any:
    """Build the model again by `call(op, *args, **kwargs)` for each op, over the same layers.

    Tensors come as the first arguments, in the order of the op's parameters, even if the network
    passed them by keyword. `training` comes only if the network set it to another value than its
    default: Keras records the default too, and replaces it when a model is called.
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


_readers: WeakKeyDictionary[Any, dict[str, list[str]]] = WeakKeyDictionary()


def readers(model: Any) -> Mapping[str, list[str]]:
    """By layer or operation: the names of the layers and operations that read its outputs.

    They are found once and kept as long as the model.
    """
    if model not in _readers:
        _readers[model] = _readers_of(model)
    return _readers[model]


def _readers_of(model: Any) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    producers: dict[int, str] = {}
    held = []  # keeps the symbolic tensors alive, so that no two of them have one id

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
    """The tensors that were passed by keyword but could have been passed by position."""
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
    """Whether an argument of an op has its default value."""
    parameter = inspect.signature(op.call).parameters.get(name)
    return parameter is not None and parameter.default is value
