"""The operators that multiply by a kernel: convolution, depthwise convolution, fully connected.

q are codes, Z are zero points and S are scales; index 1 is the input, 2 the kernel, 3 the output.
(The paper's section 2.4 swaps 1 and 2.) Eq. 7 splits the accumulator of eq. 4:

    sum (q1 - Z1)(q2 - Z2) = sum q1 q2  -  Z1 a2  -  Z2 a1  +  N Z1 Z2

Each sum has N terms. a1 is the sum of the input's codes and a2 is the sum of the kernel's codes
(eq. 8). The terms that do not depend on the input's codes are added to the bias when the file is
read. Images are padded with Z1, the code of 0, so every window has N elements. All sums are int32
and wrap around.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from qbench.deploy.integer.arithmetic import (
    Clamp,
    Int8,
    Int32,
    Int64,
    Multiplier,
    RealMultiplier,
)
from qbench.deploy.integer.graph import Tensor
from qbench.deploy.integer.node import Node, Step
from qbench.deploy.integer.windows import Windows, total

Kind = type[Multiplier] | type[RealMultiplier]


@dataclass(frozen=True)
class Ending:
    """Converts sums of products to output codes (section 2.4).

    The steps are: add the bias, multiply by S1 S2 / S3, add the zero point, clamp.

    Attributes:
        constant: int32 (channels,), equal to bias - Z1 a2 + N Z1 Z2.
        kernel_zero: Z2.
        multiplier: S1 S2 / S3 (eq. 5), one value or one value per channel.
        zero_point: Z3.
        clamp: the saturating cast to the codes that the fused activation allows.
    """

    constant: Int32
    kernel_zero: int
    multiplier: Multiplier | RealMultiplier
    zero_point: int
    clamp: Clamp

    @classmethod
    def of(
        cls,
        node: Node,
        kernel: Tensor,
        sums: Int64,
        products: int,
        kind: Kind = Multiplier,
    ) -> Ending:
        """The ending of an operator.

        Args:
            node: the operator.
            kernel: its kernel.
            sums: a2, int64 (channels,).
            products: N, the number of products in a sum.
            kind: the class of the multiplier.
        """
        entry, output = node.computed(), node.output
        zero, kernel_zero = entry.zero_points[0], kernel.zero_points[0]
        constant = node.bias(len(sums)) - zero * sums + products * zero * kernel_zero
        reals = [entry.scales[0] * scale / output.scales[0] for scale in kernel.scales]
        return cls(
            constant.astype(np.int32),
            kernel_zero,
            kind.of(reals),
            output.zero_points[0],
            node.clamp(),
        )

    def __call__(self, products: Int32, inputs: Callable[[], Int32]) -> Int8:
        """The output codes, int8 (..., channels).

        Args:
            products: the sums of q1 q2, int32 (..., channels).
            inputs: computes a1, int32 (..., channels) or (..., 1); called only if Z2 is not 0.
        """
        accumulated = products + self.constant
        if self.kernel_zero:
            accumulated = accumulated - self.kernel_zero * inputs()
        return self.clamp(self.multiplier.times(accumulated) + self.zero_point)


def matrix_product(rows: Int32, kernel: Int32) -> Int32:
    """The product of rows (..., K) and the transposed kernel (channels, K), int32 (..., channels).

    einsum reads two contiguous vectors here. It takes a third of the time of integer matmul.
    """
    product: Int32 = np.einsum("pk,ck->pc", rows.reshape(-1, rows.shape[-1]), kernel)
    return product.reshape(*rows.shape[:-1], len(kernel))


def convolution(node: Node) -> Step:
    """CONV_2D: kernel (channels, height, width, input channels), one scale or one per channel."""
    data = node.constant(1, "int8")
    if data.ndim != 4 or data.shape[3] != node.images().shape[3]:
        raise node.error(
            f"has a kernel of shape {data.shape} for an input of {node.images().shape}"
        )
    channels = len(data)
    kernel = node.kernel(channels, 0)
    windows = Windows.of(node, (data.shape[1], data.shape[2]), dilated=True)
    codes = data.reshape(channels, -1).astype(np.int32)
    ending = Ending.of(node, kernel, codes.sum(axis=1, dtype=np.int64), codes.shape[1])
    zero = node.computed().zero_points[0]

    def apply(x: Int8) -> Int8:
        rows = np.concatenate(windows.elements(x, zero), axis=-1)
        return ending(matrix_product(rows, codes), lambda: _sum(rows))

    return Step((1, *windows.shape, channels), apply)


def depthwise_convolution(node: Node) -> Step:
    """DEPTHWISE_CONV_2D: kernel (1, height, width, channels), one scale or one per channel.

    Output channel c reads input channel c // depth multiplier. The depth multiplier is the number
    of output channels per input channel.
    """
    data = node.constant(1, "int8")
    inputs = node.images().shape[3]
    if data.ndim != 4 or len(data) != 1 or data.shape[3] % inputs:
        raise node.error(
            f"has a kernel of shape {data.shape} for an input of {node.images().shape}"
        )
    channels = data.shape[3]
    kernel = node.kernel(channels, 3)
    windows = Windows.of(node, (data.shape[1], data.shape[2]), dilated=True)
    codes = data.reshape(-1, channels).astype(np.int32)
    ending = Ending.of(node, kernel, codes.sum(axis=0, dtype=np.int64), len(codes))
    zero = node.computed().zero_points[0]

    def apply(x: Int8) -> Int8:
        elements = windows.elements(np.repeat(x, channels // inputs, axis=3), zero)
        products = np.zeros_like(elements[0])
        for element, code in zip(elements, codes, strict=True):
            products += element * code
        return ending(products, lambda: total(elements))

    return Step((1, *windows.shape, channels), apply)


def fully_connected(node: Node, kind: Kind = RealMultiplier) -> Step:
    """FULLY_CONNECTED: kernel (channels, inputs), one scale or one per channel.

    Args:
        node: the operator.
        kind: the class of the multiplier. The default is RealMultiplier, because LiteRT's reference
            kernel multiplies the accumulators by a float64 multiplier.
    """
    if node.option("WeightsFormat"):
        raise node.error("has shuffled weights")
    data = node.constant(1, "int8")
    shape = node.computed().shape
    if data.ndim != 2 or not data.size or np.prod(shape, dtype=object) % data.shape[1]:
        raise node.error(f"has a kernel of shape {data.shape} for an input of {shape}")
    channels, inputs = data.shape
    kernel = node.kernel(channels, 0)
    codes = data.astype(np.int32)
    sums = codes.sum(axis=1, dtype=np.int64)
    ending = Ending.of(node, kernel, sums, inputs, kind)
    shape = (1, *shape[1:-1]) if node.option("KeepNumDims") else (1,)

    def apply(x: Int8) -> Int8:
        rows = x.reshape(len(x), *shape[1:], inputs).astype(np.int32)
        return ending(matrix_product(rows, codes), lambda: _sum(rows))

    return Step((*shape, channels), apply)


def _sum(rows: Int32) -> Int32:
    """The sums over the last axis, int32 (..., 1)."""
    made: Int32 = np.sum(rows, axis=-1, dtype=np.int32, keepdims=True)
    return made
