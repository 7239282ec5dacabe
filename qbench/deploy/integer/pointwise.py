"""The operators without a kernel: sums, pools, means and operators that only move codes.

q are codes, Z are zero points and S are scales; indices 1 and 2 are the inputs, 3 the output.
"""

from __future__ import annotations

import math
from functools import reduce
from typing import Any

import numpy as np

from qbench.deploy.integer.arithmetic import Clamp, Int8, Multiplier, divide
from qbench.deploy.integer.graph import Tensor
from qbench.deploy.integer.node import Node, Shape, Step
from qbench.deploy.integer.windows import Windows, total

# ADD shifts its inputs to the left by this number of bits, to have fractional bits (A.2).
ADD_SHIFT = 20


def add(node: Node) -> Step:
    """ADD (A.2).

    Both inputs are converted to the scale 2 max(S1, S2) / 2**20 and added. The sum is converted to
    the scale S3. Each conversion is a `Multiplier.times` with its two roundings. The factors of the
    inputs, S1 / (2 max(S1, S2)) and S2 / (2 max(S1, S2)), are at most 1/2, so no sum overflows.
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
    """Input k of ADD, a computed tensor or a constant."""
    tensor = node.grid(node.input(k))
    return node.computed(k) if tensor.data is None else tensor


def concatenation(node: Node) -> Step:
    """CONCATENATION (A.3): all tensors have one grid, so the codes are joined unchanged."""
    inputs = [node.computed(k) for k in range(node.inputs)]
    for tensor in inputs:
        node.same_grid(tensor)
    rank = len(inputs[0].shape) if inputs else 0
    axis = int(node.operator.options["Axis"])
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
    """PAD: the padding has the value 0, and its code is the zero point (section 2.1)."""
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
    """The windows, the output shape (1, rows, columns, C) and the clamp of a pool."""
    tensor = node.images()
    node.same_grid(tensor)
    size = node.option("FilterHeight", 1), node.option("FilterWidth", 1)
    windows = Windows.of(node, size, dilated=False)
    return windows, (1, *windows.shape, tensor.shape[3]), node.clamp()


def max_pool(node: Node) -> Step:
    """MAX_POOL_2D: the maximum of the codes in each window; input and output have one grid."""
    windows, shape, clamp = _pool(node)

    def apply(x: Int8) -> Int8:
        return clamp(reduce(np.maximum, windows.elements(x, -128)))

    return Step(shape, apply)


def average_pool(node: Node) -> Step:
    """AVERAGE_POOL_2D: the mean of the codes in each window, without the padding.

    Input and output have one grid. A tie goes away from code 0.
    """
    windows, shape, clamp = _pool(node)
    counts = windows.counts(*node.images().shape[1:3])

    def apply(x: Int8) -> Int8:
        return clamp(divide(total(windows.elements(x, 0)), counts))

    return Step(shape, apply)


def mean(node: Node) -> Step:
    """MEAN over any axes except the batch.

    The sum of q1 - Z1 is multiplied by S1 / (S3 * count), where `count` is the number of values in
    one mean. Then Z3 is added. The multiplier includes the division by `count` (see `_divided`).
    The multiplication is a `Multiplier.times` with its two roundings.
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
    """The multiplier divided by `count`, as in LiteRT.

    The multiplier's value is shifted to the left before the division, so that it keeps its bits.
    The quotient is rounded down.
    """
    value, shift = int(multiplier.value[0]), int(multiplier.shift[0])
    places = min(count.bit_length() - 1, 32, 31 + shift)
    return Multiplier(
        np.array([(value << places) // count], np.int32), np.array([shift - places], np.int32)
    )


def requantize(node: Node) -> Step:
    """QUANTIZE from int8 to int8: the output has another scale or another zero point."""
    tensor, output = node.computed(), node.output
    multiplier = Multiplier.of([tensor.scales[0] / output.scales[0]])

    def apply(x: Int8) -> Int8:
        value = x.astype(np.int32) - np.int32(tensor.zero_points[0])
        return Clamp()(multiplier.times(value) + output.zero_points[0])

    return Step(tensor.shape, apply)


def reshape(node: Node) -> Step:
    """RESHAPE to the shape of the output tensor in the file."""
    tensor, shape = node.computed(), node.output.shape
    node.same_grid(tensor)
    if shape[:1] != (1,) or math.prod(shape) != math.prod(tensor.shape):
        raise node.error(f"gives {tensor.shape} the shape {shape}; the batch stays first")
    return Step(shape, lambda x: x.reshape(len(x), *shape[1:]))
