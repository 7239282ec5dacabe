"""Operators that compute value by value: products, differences, extremes, functions of one value.

q are codes, Z are zero points and S are scales; indices 1 and 2 are the inputs, 3 the output.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from qbench.deploy.integer.arithmetic import Clamp, Int8, Int32, Multiplier
from qbench.deploy.integer.graph import Tensor
from qbench.deploy.integer.node import Node, Shape, Step

# SUB shifts its inputs to the left by this number of bits, as ADD does (A.2).
SUB_SHIFT = 20


def multiply(node: Node) -> Step:
    """MUL: (q1 - Z1)(q2 - Z2) is multiplied by S1 S2 / S3, and Z3 is added.

    The multiplier is computed in float32.
    """
    operands, shape = _operands(node)
    output, clamp = node.output, node.clamp()
    first, second = (np.float32(tensor.scales[0]) for tensor in operands)
    factor = Multiplier.of([float(first * second / np.float32(output.scales[0]))])

    def apply(*computed: Int8) -> Int8:
        one, other = _centred(operands, computed)
        return clamp(factor.times(one * other) + output.zero_points[0])

    return Step(shape, apply)


def subtract(node: Node) -> Step:
    """SUB: as ADD, with the second input negative."""
    operands, shape = _operands(node)
    output, clamp = node.output, node.clamp()
    largest = 2 * max(tensor.scales[0] for tensor in operands)
    factors = [Multiplier.of([tensor.scales[0] / largest]) for tensor in operands]
    scale = Multiplier.of([largest / (2**SUB_SHIFT * output.scales[0])])

    def apply(*computed: Int8) -> Int8:
        centred = _centred(operands, computed)
        one, other = (
            factor.times(x << SUB_SHIFT) for factor, x in zip(factors, centred, strict=True)
        )
        return clamp(scale.times(one - other) + output.zero_points[0])

    return Step(shape, apply)


def maximum(node: Node) -> Step:
    """MAXIMUM: all tensors have one grid, so the larger code is the larger value."""
    return _extreme(node, np.maximum)


def minimum(node: Node) -> Step:
    """MINIMUM: all tensors have one grid, so the smaller code is the smaller value."""
    return _extreme(node, np.minimum)


def _extreme(node: Node, function: Callable[[Any, Any], Any]) -> Step:
    operands, shape = _operands(node)
    for tensor in operands:
        node.same_grid(tensor)

    def apply(*computed: Int8) -> Int8:
        one, other = _codes(operands, computed)
        made: Int8 = function(one, other)
        return made

    return Step(shape, apply)


def leaky_relu(node: Node) -> Step:
    """LEAKY_RELU: q1 - Z1 is multiplied by S1 / S3, below 0 by alpha S1 / S3. Then Z3 is added."""
    tensor, output = node.computed(), node.output
    scale, last = np.float32(tensor.scales[0]), np.float32(output.scales[0])
    above = Multiplier.of([float(scale / last)])
    below = Multiplier.of([float(scale * np.float32(node.number("Alpha")) / last)])

    def apply(x: Int8) -> Int8:
        value = x.astype(np.int32) - np.int32(tensor.zero_points[0])
        scaled = np.where(value >= 0, above.times(value), below.times(value))
        return Clamp()(scaled + output.zero_points[0])

    return Step(tensor.shape, apply)


def _operands(node: Node) -> tuple[list[Tensor], Shape]:
    """The two inputs of an operator, computed tensors or constants, and the output's shape."""
    operands = []
    for k in range(2):
        tensor = node.grid(node.input(k))
        operands.append(node.computed(k) if tensor.data is None else tensor)
    try:
        shape = np.broadcast_shapes(*(tensor.shape for tensor in operands))
    except ValueError:
        raise node.error("has tensors of shapes that do not fit") from None
    if len({len(tensor.shape) for tensor in operands if tensor.data is None}) > 1:
        raise node.error("has computed tensors of different rank")
    return operands, shape


def _codes(operands: list[Tensor], computed: tuple[Int8, ...]) -> list[Any]:
    """The codes of both operands; constants are not among the computed ones."""
    given = iter(computed)
    return [next(given) if tensor.data is None else tensor.data for tensor in operands]


def _centred(operands: list[Tensor], computed: tuple[Int8, ...]) -> list[Int32]:
    """The codes of both operands less their zero points, int32."""
    return [
        codes.astype(np.int32) - np.int32(tensor.zero_points[0])
        for codes, tensor in zip(_codes(operands, computed), operands, strict=True)
    ]
