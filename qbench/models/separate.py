"""Gives activations inside convolutions and dense layers layers of their own.

An integer file computes ReLU and ReLU6 with the product before them. Other activations are
operators of their own, and the tensor between the two needs a grid.
"""

from __future__ import annotations

from typing import Any

import keras

from qbench.base.authored import author_model, set_author_model
from qbench.quantize.calls import is_stock
from qbench.quantize.kind import ANY, Kind
from qbench.quantize.kinds import function_kind, kind_of
from qbench.quantize.tensors import unique
from qbench.quantize.walk import walk


def separated(model: Any) -> Any:
    """The network with such activations behind their layers, over the same layers.

    The activation of the layer `gate` becomes the layer `gate.sigmoid`. The layers of the model are
    changed: their activation is linear afterwards.

    Args:
        model: a functional model without models inside.

    Returns:
        A functional model, or `model` itself if it has no such activation.
    """
    found = [op for op in model.operations if _separable(op) is not None]
    if not found:
        return model
    names = {op.name for op in model.operations}
    behind = {id(op): _layer(op, names) for op in found}

    def call(op: Any, *args: Any, **kwargs: Any) -> Any:
        output = op(*args, **kwargs)
        return behind[id(op)](output) if id(op) in behind else output

    for op in found:
        op.activation = keras.activations.linear
    network = walk(model, call)
    network = keras.Model(network.inputs[0], network.outputs[0], name=model.name)
    set_author_model(network, author_model(model))
    return network


def _layer(op: Any, names: set[str]) -> Any:
    function = op.activation
    return keras.layers.Activation(function, name=unique(f"{op.name}.{function.__name__}", names))


def _separable(op: Any) -> Kind | None:
    """The kind of an activation that an integer file computes behind the layer; None without."""
    own = kind_of(op)
    if own is None or not own.kernel or not is_stock(op):
        return None
    kind = function_kind(op)
    return kind if kind is not None and kind.file and kind.inputs != ANY else None
