"""Turns a functional model with models inside into a flat one, over the same layers."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

import keras

from qbench.base.authored import author_model, own_name, rename, set_author_model
from qbench.base.errors import QbenchError
from qbench.base.keras_private import call_again, layers_within
from qbench.models.functional import is_graph
from qbench.quantize.tensors import unique

# False, but no layer's default: Keras records the default too, so it tells nothing.
_IN_INFERENCE = 0


def flattened(model: Any) -> Any:
    """The network of a model with functional and sequential models inside, at any depth.

    Every call of an inner model becomes the calls of its layers. A layer inside gets the name of
    its model and a point in front of its own name, and a number if that name is taken. What is not
    inside keeps its name. `model` owns the weights file, see `qbench.base.authored`.

    Args:
        model: a functional model with one input and one output.

    Returns:
        A functional model, or `model` itself if it has no model inside.

    Raises:
        QbenchError: an inner model computes more than its layers, or is called in a way that its
            layers alone do not follow.
    """
    if not any(isinstance(op, keras.Model) for op in model.operations):
        return model
    try:
        (output,) = keras.tree.flatten(_Flattening().run(model, model.inputs, held=False))
    except RecursionError as error:
        raise QbenchError("its models inside models are nested too deeply.") from error
    _name(model)
    flat = keras.Model(model.inputs[0], output, name=model.name)
    set_author_model(flat, author_model(model))
    return flat


class _Flattening:
    """Calls the layers of a model and of the models inside it, each on new symbolic tensors."""

    def __init__(self) -> None:
        self._graphs: dict[int, Any] = {}

    def run(self, model: Any, inputs: Any, held: bool) -> Any:
        """The outputs of a functional or sequential model for symbolic inputs, a flat list.

        Args:
            model: the model.
            inputs: a flat list.
            held: whether a model around it is called with `training=False`.
        """

        def call(op: Any, *args: Any, **kwargs: Any) -> Any:
            if isinstance(op, keras.Model):
                return self._inner(op, held, args, kwargs)
            if held and _trains_otherwise(op):
                kwargs["training"] = _IN_INFERENCE
            return op(*args, **kwargs)

        graph = self._graph(model)
        if graph is not None:
            return call_again(graph, inputs, call)
        (values,) = inputs
        for layer in model.layers:
            values = call(layer, values)
        return values

    def _inner(self, model: Any, held: bool, args: Any, kwargs: Mapping[str, Any]) -> Any:
        """The outputs of an inner model for a call of it."""
        _check(model)
        given = inspect.signature(model.call).bind(*args, **kwargs).arguments
        training = given.get("training")
        if keras.utils.is_keras_tensor(training) or training:
            raise _refused(
                model,
                f"is called with training={training}, so that it would work as in training when the"
                " network is evaluated; leave the argument out",
            )
        masks = [one for one in keras.tree.flatten(given.get("mask")) if one is not None]
        if masks or given.get("kwargs"):
            what = ", ".join(given.get("kwargs", ())) or "a mask"
            raise _refused(
                model,
                f"is called with {what}, which its layers alone do not get; call its layers one by"
                " one in its place",
            )
        inputs = self._inputs(model, given["inputs"])
        return self.run(model, inputs, held or training is not None)

    def _inputs(self, model: Any, given: Any) -> list[Any]:
        """The tensors of a call of an inner model, in the order of the model's inputs."""
        graph = self._graph(model)
        if graph is None:
            return [given]
        if isinstance(given, dict) and not isinstance(graph.input, dict):
            given = [given.get(image.name) for image in graph.inputs]
        found: list[Any] = keras.tree.flatten(given)
        wanted = [(len(image.shape), image.dtype) for image in graph.inputs]
        if any(not keras.utils.is_keras_tensor(tensor) for tensor in found) or wanted != [
            (len(tensor.shape), tensor.dtype) for tensor in found
        ]:
            raise _refused(
                model,
                "is called with other inputs than it declares, which Keras turns into such; give it"
                " as many tensors as it has inputs, with their rank and their dtype",
            )
        return found

    def _graph(self, model: Any) -> Any:
        """The functional model of a model; None for a sequential one that Keras could not build."""
        if id(model) not in self._graphs:
            self._graphs[id(model)] = graph_of_model(model)
        return self._graphs[id(model)]


def graph_of_model(model: Any) -> Any:
    """The functional model of a model; None for a sequential one that Keras could not build."""
    if isinstance(model, keras.Sequential):
        return keras.Model(model.inputs, model.outputs) if hasattr(model, "inputs") else None
    return model


def _check(model: Any) -> None:
    """Check that a call of an inner model computes exactly what its layers compute."""
    if not is_graph(model):
        raise QbenchError(
            f"it holds a subclassed model ({model.name}, {type(model).__name__}), whose layers"
            " cannot be seen; write it as a functional model: keras.Model(input, output)."
        )
    if model.activity_regularizer is not None:
        raise _refused(model, "has an activity_regularizer; give it to its last layer")


def _refused(model: Any, what: str) -> QbenchError:
    return QbenchError(f"the model inside it {model.name!r} {what}.")


def _trains_otherwise(op: Any) -> bool:
    """Whether a layer may compute something else in training than in inference."""
    if not isinstance(op, keras.Layer):
        return False
    return "training" in inspect.signature(op.call).parameters or bool(layers_within(op))


def _name(model: Any) -> None:
    """Give every part of the models inside a model a name of its own."""
    parts = list(model.operations)
    taken, named = {op.name for op in parts}, {id(op) for op in parts}

    def name_inside(outer: Any, path: str) -> None:
        for op in outer.operations if hasattr(outer, "operations") else outer.layers:
            if id(op) in named or isinstance(op, keras.layers.InputLayer):
                continue
            named.add(id(op))
            own = f"{path}/{own_name(op)}"
            rename(op, unique(f"{outer.name}.{own_name(op)}", taken), own)
            if isinstance(op, keras.Model):
                name_inside(op, own)

    for op in parts:
        if isinstance(op, keras.Model):
            name_inside(op, op.name)
