"""Turns the result of a builder into a plain functional Keras model over the same layers."""

from __future__ import annotations

from functools import cache
from typing import Any

import keras

from qbench.base.errors import QbenchError
from qbench.base.keras_private import maker


def as_functional(model: Any, shape: tuple[int, int, int]) -> Any:
    """The model as a functional model with one input and one output, over the same layers.

    A sequential model without an Input is built on images (N, *shape). A subclass of a functional
    model is accepted if it does not define its own `call`.

    Raises:
        QbenchError: it is not a Keras model, it is a subclassed model, or it has several inputs or
            outputs. The message begins with what was found.
    """
    if not isinstance(model, keras.Model):
        raise QbenchError(_no_model(model))
    if not is_graph(model):
        raise QbenchError(
            f"its function gave a subclassed model ({type(model).__name__}), whose layers cannot be"
            " seen; write it as a functional model: keras.Model(image, output)."
        )
    if isinstance(model, keras.Sequential):
        _build(model, shape)
    _check_ends(model)
    if _is_plain(model):
        return model
    return keras.Model(model.inputs[0], model.outputs[0], name=model.name)


def _no_model(found: Any) -> str:
    if found is None:
        return "its function gave back nothing; it must end in `return keras.Model(image, output)`."
    if keras.utils.is_keras_tensor(found):
        return "its function gave back a tensor; return the model, keras.Model(image, output)."
    kind = type(found)
    if any(parent.__module__.startswith("tf_keras.") for parent in kind.__mro__):
        return "its function gave back a model of tf_keras; build it with keras (version 3)."
    return f"its function gave back {_article(kind.__name__)}; expected a keras.Model."


def _article(noun: str) -> str:
    return f"{'an' if noun[:1].lower() in 'aeiou' else 'a'} {noun}"


def _build(model: Any, shape: tuple[int, int, int]) -> None:
    """Build a sequential model on images (N, *shape), unless it has an input."""
    if not hasattr(model, "inputs"):
        model.build((None, *shape))
    if not hasattr(model, "inputs"):
        raise QbenchError(
            "a layer of its sequential model does not say what shape its output has; give its class"
            " a method compute_output_shape."
        )


def is_graph(model: Any) -> bool:
    """Whether a call of a model computes exactly its graph, or its layers one after the other."""
    kind = keras.Sequential if isinstance(model, keras.Sequential) else _functional()
    own = type(model).call is kind.call and type(model).__call__ is kind.__call__
    return own and isinstance(model, kind)


@cache
def _functional() -> Any:
    """Keras' class of functional models, which has no public name."""
    image = keras.Input((1,))
    return type(keras.Model(image, image))


def _is_plain(model: Any) -> bool:
    ends = (getattr(model, end, None) for end in ("input", "output"))
    return (
        type(model) is _functional()
        and not model.compiled
        and all(keras.utils.is_keras_tensor(end) for end in ends)
    )


def _check_ends(model: Any) -> None:
    """Check that the model has exactly one input tensor and one output tensor."""
    for tensors, kind, needed in (
        (model.inputs, "inputs", "the images: keras.Model(image, output)"),
        (model.outputs, "outputs", "the prediction: keras.Model(image, output)"),
    ):
        if len(tensors) != 1:
            found = ", ".join(f"{maker(tensor).name} {tensor.shape}" for tensor in tensors)
            raise QbenchError(f"it has {len(tensors)} {kind} ({found}); it needs one, {needed}.")
