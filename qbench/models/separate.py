"""Gives parts of layers that a file computes apart layers of their own.

An integer file computes ReLU and ReLU6 with the product before them. Other activations are
operators of their own, and the tensor between the two needs a grid. So does the tensor between the
two kernels of a separable convolution.
"""

from __future__ import annotations

from typing import Any

import keras

from qbench.base.authored import author_model, set_author_model
from qbench.base.keras_private import adopt
from qbench.quantize.calls import is_stock
from qbench.quantize.kind import ANY
from qbench.quantize.kinds import function_kind, kind_of
from qbench.quantize.tensors import unique
from qbench.quantize.walk import walk


def separated(model: Any) -> Any:
    """The network with such parts one behind the other, over the same variables.

    The activation of the layer `gate` becomes the layer `gate.sigmoid`. The layers of the model are
    changed: their activation is linear afterwards, and a regularizer of their activity belongs to
    the layer behind. The separable convolution `sep` becomes the
    layers `sep.depthwise` and `sep.pointwise`, with its variables; it is not changed itself.

    Args:
        model: a functional model without models inside.

    Returns:
        A functional model, or `model` itself if it has no such layer.
    """
    names = {op.name for op in model.operations}
    parts = {id(op): found for op in model.operations if len(found := _parts(op, names)) > 1}
    if not parts:
        return model

    def call(op: Any, *args: Any, **kwargs: Any) -> Any:
        first, *behind = parts.get(id(op), [op])
        output = first(*args, **kwargs)
        for part in behind:
            output = part(output)
        return output

    network = walk(model, call)
    network = keras.Model(network.inputs[0], network.outputs[0], name=model.name)
    set_author_model(network, author_model(model))
    return network


def _parts(op: Any, names: set[str]) -> list[Any]:
    """The layers that compute a layer or operation, one behind the other."""
    own = kind_of(op)
    if own is None or not own.kernel or not is_stock(op):
        return [op]
    is_split, is_apart = own.name == "separable convolution", _is_apart(op)
    if not is_split and not is_apart:
        return [op]
    function, penalty = op.activation, op.activity_regularizer
    inside = (keras.activations.linear, None) if is_apart else (function, penalty)
    if is_split:
        whole = _split(op, names, *inside)
    else:
        whole = [op]
        op.activation, op.activity_regularizer = inside
    if not is_apart:
        return whole
    name = unique(f"{op.name}.{function.__name__}", names)
    behind = keras.layers.Activation(function, activity_regularizer=penalty, name=name)
    return [*whole, behind]


def _is_apart(op: Any) -> bool:
    """Whether an integer file computes the activation inside a layer as an operator of its own."""
    kind = function_kind(op)
    return kind is not None and bool(kind.file) and kind.inputs != ANY


def _split(op: Any, names: set[str], activation: Any, penalty: Any) -> list[Any]:
    """A separable convolution as a depthwise and a pointwise one that have its variables."""
    layers = keras.layers
    flat = isinstance(op, layers.SeparableConv1D)
    first, second = (
        (layers.DepthwiseConv1D, layers.Conv1D) if flat else (layers.DepthwiseConv2D, layers.Conv2D)
    )
    common = {"data_format": op.data_format, "dtype": op.dtype_policy, "trainable": op.trainable}
    depthwise = first(
        op.kernel_size,
        strides=op.strides,
        padding=op.padding,
        depth_multiplier=op.depth_multiplier,
        dilation_rate=op.dilation_rate,
        use_bias=False,
        depthwise_initializer="zeros",
        name=unique(f"{op.name}.depthwise", names),
        **common,
    )
    pointwise = second(
        op.filters,
        1,
        use_bias=op.use_bias,
        activation=activation,
        kernel_initializer="zeros",
        activity_regularizer=penalty,
        name=unique(f"{op.name}.pointwise", names),
        **common,
    )
    adopt(depthwise, op.depthwise_kernel, None)
    adopt(pointwise, op.pointwise_kernel, op.bias)
    return [depthwise, pointwise]
