"""The operators without a kernel: sums, pools and those that only move codes."""

from __future__ import annotations

import math
from functools import reduce
from typing import Any

import numpy as np

from qbench.deploy.integer.arithmetic import Clamp, Int8, Multiplier, divide
from qbench.deploy.integer.graph import Tensor
from qbench.deploy.integer.node import Node, Shape, Step
from qbench.deploy.integer.windows import Windows, total

# How far ADD shifts its inputs to the left, to have bits below the point (A.2).
ADD_SHIFT = 20


def add(node: Node) -> Step:
    """ADD (A.2): both inputs on the scale of twice the larger one's, 2**-20 of it, then the sum's.

    The factors S1, S2 / (2 max(S1, S2)) are at most a half, so no sum overflows. Every factor is
    multiplied by with both roundings of Multiplier.
    """
    operands = [_operand(node, k) for k in range(2)]
    output, clamp = node.output, node.clamp()
    largest = 2 * max(tensor.scales[0] for tensor in operands)
    factors = [Multiplier.of([tensor.scales[0] / largest]) for tensor in operands]
    scale = Multiplier.of([largest / (2**ADD_SHIFT * output.scales[0])])
    try:
        shape = np.broadcast_shapes(*(tensor.shape for tensor in operands))
    except ValueError:
        raise node.error("adds tensors of shapes that do not fit") from None
    if len({len(tensor.shape) for tensor in operands if tensor.data is None}) > 1:
        raise node.error("adds computed tensors of different rank")

    def apply(*computed: Int8) -> Int8:
        given = iter(computed)
        scaled = []
        for tensor, factor in zip(operands, factors, strict=True):
            codes: Any = next(given) if tensor.data is None else tensor.data
            wide = (codes.astype(np.int32) - np.int32(tensor.zero_points[0])) << ADD_SHIFT
            scaled.append(factor.times(wide))
        return clamp(scale.times(scaled[0] + scaled[1]) + output.zero_points[0])

    return Step(shape, apply)


def _operand(node: Node, k: int) -> Tensor:
    tensor = node.grid(node.input(k))
    return node.computed(k) if tensor.data is None else tensor


def concatenation(node: Node) -> Step:
    """CONCATENATION (A.3): all on one grid, so that nothing is computed."""
    inputs = [node.computed(k) for k in range(node.inputs)]
    for tensor in inputs:
        node.same_grid(tensor)
    rank = len(inputs[0].shape) if inputs else 0
    axis = node.operator.options["Axis"]
    axis += rank if axis < 0 else 0
    if not 0 < axis < rank or node.option("FusedActivationFunction"):
        raise node.error(f"joins {len(inputs)} tensors along axis {axis}")
    others = {tensor.shape[:axis] + tensor.shape[axis + 1 :] for tensor in inputs}
    if len(others) > 1:
        raise node.error("joins tensors of shapes that do not fit")
    (other,) = others
    joined = sum(tensor.shape[axis] for tensor in inputs)
    shape = (*other[:axis], joined, *other[axis:])
    return Step(shape, lambda *x: np.concatenate(x, axis=axis))


def pad(node: Node) -> Step:
    """PAD with the code of 0, which is the zero point (section 2.1)."""
    tensor = node.computed()
    node.same_grid(tensor)
    widths = node.constant(1, "int32", "int64")
    if widths.shape != (len(tensor.shape), 2) or (widths < 0).any() or widths[0].any():
        raise node.error(f"has the paddings {widths.tolist()} for the shape {tensor.shape}")
    pairs = [(int(before), int(after)) for before, after in widths]
    sizes = [sum(pair) + size for pair, size in zip(pairs, tensor.shape, strict=True)]
    fill = node.output.zero_points[0]
    return Step(tuple(sizes), lambda x: np.pad(x, pairs, constant_values=fill))


def _pool(node: Node) -> tuple[Windows, Shape, Clamp]:
    tensor = node.images()
    node.same_grid(tensor)
    size = node.option("FilterHeight", 1), node.option("FilterWidth", 1)
    windows = Windows.of(node, size, dilated=False)
    return windows, (1, *windows.shape, tensor.shape[3]), node.clamp()


def max_pool(node: Node) -> Step:
    """MAX_POOL_2D of the codes, on the input's grid."""
    windows, shape, clamp = _pool(node)

    def apply(x: Int8) -> Int8:
        return clamp(reduce(np.maximum, windows.elements(x, -128)))

    return Step(shape, apply)


def average_pool(node: Node) -> Step:
    """AVERAGE_POOL_2D of the codes that lie in the image; a tie goes away from the code 0."""
    windows, shape, clamp = _pool(node)
    counts = windows.counts(*node.images().shape[1:3])

    def apply(x: Int8) -> Int8:
        return clamp(divide(total(windows.elements(x, 0)), counts))

    return Step(shape, apply)


def mean(node: Node) -> Step:
    """MEAN over any axes but the batch: the sum, times S1 / (S3 * the number of values).

    The multiplier's value is divided by the number of values, rounding down, after a shift to the
    left that keeps its bits; the product then has both roundings of Multiplier.
    """
    tensor, output = node.computed(), node.output
    rank = len(tensor.shape)
    given = node.constant(1, "int32")
    axes = sorted({int(axis) % rank for axis in given.ravel() if -rank <= axis < rank})
    if not axes or axes[0] == 0 or given.size != len(axes):
        raise node.error(f"takes the mean over the axes {given.tolist()} of {tensor.shape}")
    count = math.prod(tensor.shape[axis] for axis in axes)
    if not 0 < count < 2**24:
        raise node.error(f"takes the mean of {count} values")
    multiplier = _divided(Multiplier.of([tensor.scales[0] / output.scales[0]]), count)
    keep = bool(node.option("KeepDims"))
    shape = tuple(
        1 if k in axes else size for k, size in enumerate(tensor.shape) if keep or k not in axes
    )
    offset = np.int32(count * tensor.zero_points[0])

    def apply(x: Int8) -> Int8:
        value: Any = np.sum(x, axis=tuple(axes), dtype=np.int32, keepdims=keep) - offset
        return Clamp()(multiplier.times(value) + output.zero_points[0])

    return Step(shape, apply)


def _divided(multiplier: Multiplier, count: int) -> Multiplier:
    """The multiplier divided by a number of values, as LiteRT does it."""
    value, shift = int(multiplier.value[0]), int(multiplier.shift[0])
    places = min(count.bit_length() - 1, 32, 31 + shift)
    return Multiplier(
        np.array([(value << places) // count], np.int32), np.array([shift - places], np.int32)
    )


def requantize(node: Node) -> Step:
    """QUANTIZE from int8 to int8: other scale, other zero point."""
    tensor, output = node.computed(), node.output
    multiplier = Multiplier.of([tensor.scales[0] / output.scales[0]])

    def apply(x: Int8) -> Int8:
        value = x.astype(np.int32) - np.int32(tensor.zero_points[0])
        return Clamp()(multiplier.times(value) + output.zero_points[0])

    return Step(tensor.shape, apply)


def reshape(node: Node) -> Step:
    """RESHAPE, to the shape that the file gives its output."""
    tensor, shape = node.computed(), node.output.shape
    node.same_grid(tensor)
    if shape[:1] != (1,) or math.prod(shape) != math.prod(tensor.shape):
        raise node.error(f"gives {tensor.shape} the shape {shape}; the batch stays first")
    return Step(shape, lambda x: x.reshape(len(x), *shape[1:]))
