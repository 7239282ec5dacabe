"""Gives parts of layers that a file computes apart layers of their own.

An integer file computes ReLU and ReLU6 with the product before them. Other activations are
operators of their own, and the tensor between the two needs a grid. So does the tensor between the
two kernels of a separable convolution, and what the first of three tensors or more sum up to: a
file adds two at a time.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras

from qbench.base.authored import author_model, set_author_model
from qbench.base.keras_private import adopt, maker
from qbench.quantize.calls import is_stock
from qbench.quantize.kind import ANY
from qbench.quantize.kinds import COMPUTING, function_kind, kind_of
from qbench.quantize.tensors import Call, graph_of, unique
from qbench.quantize.walk import walk


def separated(model: Any) -> Any:
    """The network with such parts one behind the other, over the same variables.

    The activation of the layer `gate` becomes the layer `gate.sigmoid`. The layers of the model are
    changed: their activation is linear afterwards, and a regularizer of their activity belongs to
    the layer behind. The separable convolution `sep` becomes the
    layers `sep.depthwise` and `sep.pointwise`, with its variables; it is not changed itself. The
    layer `add` of three tensors becomes `add.part1` of the first two, and `add` of this and the
    third; so do products, averages, maxima and minima.

    Args:
        model: a functional model without models inside.

    Returns:
        A functional model, or `model` itself if it has no such layer.
    """
    names = {op.name for op in model.operations}
    parts = {id(op): found for op in model.operations if len(found := _parts(op, names)) > 1}
    joins = {id(call.op) for call in graph_of(model).calls if _joins_several(call)}
    if not parts and not joins:
        return model
    pairwise = _Pairwise(names)

    def call(op: Any, *args: Any, **kwargs: Any) -> Any:
        if id(op) in joins:
            return pairwise(op, *args)
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


def _joins_several(call: Call) -> bool:
    """Whether a layer computes with three tensors or more, all of one rank, value by value."""
    kind, op = call.kind, call.op
    if kind is None or kind.name not in COMPUTING or not is_stock(op) or len(call.reads) < 3:
        return False
    penalized = isinstance(op, keras.layers.Average) and op.activity_regularizer is not None
    return len({len(x.shape) for x in call.args[0]}) == 1 and not penalized


class _Pairwise:
    """Calls layers that compute with several tensors, value by value, on two at a time.

    Keras computes from the first tensor to the last too, so every bit stays.
    """

    def __init__(self, names: set[str]) -> None:
        """`names` are taken; those of new layers are added."""
        self._names = names
        self._parts: dict[tuple[int, int], Any] = {}

    def __call__(self, op: Any, tensors: Sequence[Any]) -> Any:
        """The output of the layer `op` for symbolic tensors."""
        first, *others, last = tensors
        for k, other in enumerate(others, 1):
            first = self._part(op, k)([first, other])
        if not isinstance(op, keras.layers.Average):
            return op([first, last])
        whole = self._part(op, len(tensors) - 1)([first, last])
        if (id(op), 0) in self._parts:
            return self._parts[id(op), 0](whole, len(tensors))
        average = keras.ops.divide(whole, len(tensors))
        self._parts[id(op), 0] = division = maker(average)
        division.name = op.name
        return average

    def _part(self, op: Any, k: int) -> Any:
        """The layer for the first k + 1 tensors."""
        if (id(op), k) not in self._parts:
            name = unique(f"{op.name}.part{k}", self._names)
            kind = keras.layers.Add if isinstance(op, keras.layers.Average) else type(op)
            self._parts[id(op), k] = kind(name=name, dtype=op.dtype_policy)
        return self._parts[id(op), k]
