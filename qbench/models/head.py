"""The head of a network: its last layer with weights, and the softmax behind it."""

from __future__ import annotations

from typing import Any

import keras

from qbench.base.authored import author_model, set_author_model
from qbench.base.errors import QbenchError
from qbench.base.keras_private import maker, read_by
from qbench.base.model_names import IMAGENET, KERAS_FILE, NEW, NO_WEIGHTS
from qbench.base.reasons import reason


def head_of(model: Any) -> Any:
    """The last layer with weights: behind it every operation reads one tensor and has no weights.

    Raises:
        QbenchError: there is no such layer.
    """
    tensor = model.outputs[0]
    while True:
        op = maker(tensor)
        if isinstance(op, keras.Layer) and op.weights:
            return op
        read = read_by(tensor)
        if len(read) != 1 or isinstance(op, keras.layers.InputLayer):
            raise QbenchError(
                f"model.head=new: its output is made by {op.name}, which reads {len(read)} tensors;"
                " it has no single last layer with weights."
            )
        tensor = read[0]


def new_head(model: Any, name: str, weights: str | None, head: str) -> str:
    """The name of the last layer with weights, if it alone begins with new weights; else empty.

    Args:
        model: a functional network.
        name: the name of its builder.
        weights: the value of `model.weights`.
        head: the value of `model.head`.
    """
    trained = name == KERAS_FILE or weights not in (None, NO_WEIGHTS)
    is_new = trained and (head == NEW or weights == IMAGENET)
    return str(head_of(model).name) if is_new else ""


def with_outputs(model: Any, head: Any, outputs: int) -> Any:
    """The network with a new last layer of another number of outputs; other layers are shared.

    Args:
        model: a functional network.
        head: its last layer with weights.
        outputs: the number of outputs.

    Raises:
        QbenchError: the head is no dense layer or convolution, or what follows needs its shape.
    """
    size = next((key for key in ("units", "filters") if hasattr(head, key)), None)
    if size is None:
        raise QbenchError(
            f"model.head=new: its last layer with weights is {head.name} ({type(head).__name__});"
            " only a dense layer or a convolution can get another number of outputs."
        )
    config = head.get_config() | {size: outputs, "trainable": True}

    def renewed(layer: Any) -> Any:
        return type(head).from_config(config) if layer is head else layer

    try:
        made = keras.models.clone_model(model, clone_function=renewed)
        if made.output.shape[-1] != outputs:
            raise ValueError(f"behind it the shape is {made.output.shape}")
        return made
    except Exception as error:
        raise QbenchError(
            f"model.head=new: {head.name} cannot have {outputs} outputs"
            f" ({reason(error).rstrip('.')})."
        ) from error


def ends_in_softmax(model: Any) -> bool:
    """Whether a softmax is the last activation of a network."""
    last = maker(model.outputs[0])
    return _is_softmax(last) or _has_softmax(last)


def without_softmax(model: Any) -> Any:
    """The network up to its last softmax, if this is exactly its last activation."""
    last = maker(model.outputs[0])
    if _is_softmax(last):
        shorter = keras.Model(model.inputs[0], read_by(model.outputs[0])[0], name=model.name)
        if author_model(model) is not model:
            set_author_model(shorter, author_model(model))  # a softmax has no weights
        return shorter
    if _has_softmax(last):
        last.activation = keras.activations.linear
    return model


def _is_softmax(op: Any) -> bool:
    """Whether an operation is a softmax over the last axis and nothing else."""
    if isinstance(op, keras.layers.Activation):
        return op.activation is keras.activations.softmax
    own = isinstance(op, keras.layers.Softmax) or type(op).__name__ == "Softmax"
    return own and op.axis in (-1, len(op.output.shape) - 1)


def _has_softmax(op: Any) -> bool:
    """Whether a layer with weights ends in a softmax."""
    parts = (keras.layers.Dense, keras.layers.Conv2D)
    return isinstance(op, parts) and op.activation is keras.activations.softmax
