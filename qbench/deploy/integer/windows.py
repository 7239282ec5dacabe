"""The windows of an image that a kernel or a pool reads."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce

import numpy as np

from qbench.deploy.integer.arithmetic import Int8, Int32
from qbench.deploy.integer.node import Node

_PADDINGS = ("SAME", "VALID")
# (size - 1) * dilation is below this limit in every real network; a damaged file may exceed it.
_FARTHEST = 1024


@dataclass(frozen=True)
class Axis:
    """The windows along one axis of an image.

    Attributes:
        count: number of windows.
        size: number of elements in a window.
        stride: distance between the starts of two neighbouring windows, in elements.
        dilation: distance between two neighbouring elements of a window, in elements of the image.
        before: number of padding elements before the image.
        after: number of padding elements after the image.
    """

    count: int
    size: int
    stride: int
    dilation: int
    before: int
    after: int

    @classmethod
    def of(cls, length: int, size: int, stride: int, dilation: int, same: bool) -> Axis:
        """The windows by TensorFlow's rules for SAME and VALID padding.

        SAME gives ceil(length / stride) windows. If the number of padding elements is odd, the
        extra element comes after the image. VALID adds no padding.

        Args:
            length: number of elements of the image along this axis.
            size: number of elements in a window.
            stride: distance between the starts of two neighbouring windows, in elements.
            dilation: distance between two neighbouring elements of a window.
            same: True for SAME, False for VALID.
        """
        reach = (size - 1) * dilation + 1
        count = -(-length // stride) if same else -(-(length - reach + 1) // stride)
        missing = max((count - 1) * stride + reach - length, 0) if same else 0
        return cls(count, size, stride, dilation, missing // 2, missing - missing // 2)

    def tap(self, k: int) -> slice:
        """Element k of every window, as a slice of the padded axis."""
        start = k * self.dilation
        return slice(start, start + (self.count - 1) * self.stride + 1, self.stride)


@dataclass(frozen=True)
class Windows:
    """All windows of images (N, H, W, C), along the axes H (rows) and W (columns)."""

    rows: Axis
    columns: Axis

    @classmethod
    def of(cls, node: Node, size: tuple[int, int], dilated: bool) -> Windows:
        """The windows of a convolution or a pool on its first input.

        Args:
            node: the operator.
            size: height and width of a window, in elements.
            dilated: whether the operator has options for the dilation.

        Raises:
            QbenchError: the padding, a stride or a dilation is not allowed, or a window is too
                large.
        """
        lengths = node.images().shape[1:3]
        number = node.option("Padding")
        if number >= len(_PADDINGS):
            raise node.error(f"has the padding {number}, expected {' or '.join(_PADDINGS)}")
        same = _PADDINGS[number] == "SAME"
        axes = []
        for length, elements, letter in zip(lengths, size, "HW", strict=True):
            stride = node.option(f"Stride{letter}", 1)
            dilation = node.option(f"Dilation{letter}Factor", 1) if dilated else 1
            axes.append(Axis.of(length, elements, stride, dilation, same))
            if axes[-1].count < 1 or (elements - 1) * dilation >= _FARTHEST:
                raise node.error(f"has windows of {size} in an image of {lengths}")
        return cls(*axes)

    @property
    def shape(self) -> tuple[int, int]:
        """The number of windows along the rows axis and along the columns axis."""
        return self.rows.count, self.columns.count

    @property
    def taps(self) -> list[tuple[slice, slice]]:
        """For each element of a window, in row-major order: its slices of the padded images."""
        return [
            (self.rows.tap(row), self.columns.tap(column))
            for row in range(self.rows.size)
            for column in range(self.columns.size)
        ]

    def padded(self, x: Int8, fill: int) -> Int32:
        """The images x with padding of the code `fill`, as int32."""
        rows = (self.rows.before, self.rows.after)
        columns = (self.columns.before, self.columns.after)
        widths = ((0, 0), rows, columns, (0, 0))
        return np.pad(x.astype(np.int32), widths, constant_values=fill)

    def elements(self, x: Int8, fill: int) -> list[Int32]:
        """For each element of a window: its codes in all windows, int32 (N, rows, columns, C).

        Args:
            x: int8 images (N, H, W, C).
            fill: the code of the padding.
        """
        padded = self.padded(x, fill)
        return [padded[:, rows, columns] for rows, columns in self.taps]

    def counts(self, height: int, width: int) -> Int32:
        """The number of elements of each window in the image, int32 (1, rows, columns, 1)."""
        return total(self.elements(np.ones((1, height, width, 1), np.int8), 0))


def total(elements: list[Int32]) -> Int32:
    """The sum over the elements of each window.

    Args:
        elements: the codes from `Windows.elements`.

    Returns:
        int32 (N, rows, columns, C).
    """
    return reduce(np.add, elements)
