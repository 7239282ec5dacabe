"""Operators that make images larger: transposed convolution and bilinear resizing."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qbench.deploy.integer.arithmetic import Int8, Multiplier, divide
from qbench.deploy.integer.node import Node, Step

_ONE = 2**10  # positions and weights of bilinear resizing are in units of 1 / 1024


def transposed_convolution(node: Node) -> Step:
    """TRANSPOSE_CONV: each input pixel adds its product with the kernel to a window of the output.

    Kernel (channels, height, width, input channels), one scale or one per channel. Inputs: the
    shape of the output, which the file also states; the kernel; the images; the bias, if any.
    """
    data = node.constant(1, "int8")
    images, output = node.images(2), node.output
    if data.ndim != 4 or data.shape[3] != images.shape[3] or len(output.shape) != 4:
        raise node.error(f"has a kernel of shape {data.shape} for an input of {images.shape}")
    channels, height, width, _ = data.shape
    kernel = node.kernel(channels, 0)
    if any(kernel.zero_points):
        raise node.error("has a kernel with a zero point other than 0")
    same = node.option("Padding") == 0
    strides = node.option("StrideH", 1), node.option("StrideW", 1)
    starts = [
        _before(size, taps, stride) if same else 0
        for size, taps, stride in zip(output.shape[1:3], (height, width), strides, strict=True)
    ]
    bias = node.bias(channels, 3)
    scale = images.scales[0] / output.scales[0]
    multiplier = Multiplier.of([scale * one for one in kernel.scales])
    clamp, zero, codes = node.clamp(), images.zero_points[0], data.astype(np.int32)

    def apply(x: Int8) -> Int8:
        centred = x.astype(np.int32) - np.int32(zero)
        total = np.zeros_like(x, np.int32, shape=(len(x), *output.shape[1:]))
        for row in range(height):
            rows = _targets(x.shape[1], strides[0], row - starts[0], output.shape[1])
            for column in range(width):
                columns = _targets(x.shape[2], strides[1], column - starts[1], output.shape[2])
                product = centred[:, rows[0]][:, :, columns[0]] @ codes[:, row, column].T
                total[:, rows[1], columns[1]] += product
        accumulated = (total + bias).astype(np.int32)
        return clamp(multiplier.times(accumulated) + output.zero_points[0])

    return Step((1, *output.shape[1:3], channels), apply)


def _before(size: int, taps: int, stride: int) -> int:
    """The padding before the output, by TensorFlow's rule for SAME in the other direction."""
    count = -(-size // stride)
    return max((count - 1) * stride + taps - size, 0) // 2


def _targets(count: int, stride: int, offset: int, size: int) -> tuple[slice, slice]:
    """The input pixels whose target lies in the output, and their targets."""
    first = max(0, -(offset // stride))
    last = min(count, (size - 1 - offset) // stride + 1)
    last = max(last, first)
    start = first * stride + offset
    return slice(first, last), slice(start, start + (last - first - 1) * stride + 1, stride)


@dataclass(frozen=True)
class Places:
    """Where the new pixels of an axis lie between old ones.

    Attributes:
        before, after: the old pixels on both sides.
        weight: the weight of the pixel after, in units of 1 / 1024.
    """

    before: NDArray[np.int64]
    after: NDArray[np.int64]
    weight: NDArray[np.int64]

    @classmethod
    def of(cls, new: int, old: int, half: bool) -> Places:
        """The places of `new` pixels in `old` ones; with `half` pixels have their centers."""
        scale = (_ONE * old + new // 2) // new
        places = np.arange(new, dtype=np.int64) * scale
        places += scale // 2 - _ONE // 2 if half else 0
        before = np.maximum(places, 0) // _ONE
        above = places + _ONE - 1
        after = np.minimum(np.where(above < 0, 0, above) // _ONE, old - 1)
        return cls(before, after, places - _ONE * before)


def bilinear(node: Node) -> Step:
    """RESIZE_BILINEAR: four codes weighted in units of 2**-20; a tie goes away from the code 0."""
    tensor = node.images()
    node.same_grid(tensor)
    size = node.constant(1, "int32").ravel()
    if size.shape != (2,) or (size < 1).any() or node.option("AlignCorners"):
        raise node.error(f"resizes to {size.tolist()}, corners aligned or not")
    half = bool(node.option("HalfPixelCenters"))
    rows, columns = (
        Places.of(int(new), old, half) for new, old in zip(size, tensor.shape[1:3], strict=True)
    )
    down, right = rows.weight[:, None, None], columns.weight[:, None]

    def apply(x: Int8) -> Int8:
        wide = x.astype(np.int64)
        above, below = wide[:, rows.before], wide[:, rows.after]
        left = above[:, :, columns.before] * (_ONE - down) + below[:, :, columns.before] * down
        other = above[:, :, columns.after] * (_ONE - down) + below[:, :, columns.after] * down
        total = left * (_ONE - right) + other * right
        return divide(total, np.int64(_ONE**2)).astype(np.int8)  # type: ignore[arg-type]

    return Step((1, int(size[0]), int(size[1]), tensor.shape[3]), apply)
