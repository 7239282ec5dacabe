"""Kernels cut into vectors, across channels or across filters (Khaliq and Hafiz, figures 5, 6)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qbench.base import checks
from qbench.base.errors import QbenchError

CHANNELS, FILTERS = "channels", "filters"
DIRECTIONS = (CHANNELS, FILTERS)


@dataclass(frozen=True)
class Cut:
    """How a kernel becomes vectors.

    Attributes:
        shape: the shape of the kernel; its last two axes are input channels and filters.
        along: `channels`: a vector has the values of one filter at one place, channel after
            channel. `filters`: it has the values of one channel at one place, filter after filter.
        length: number of values of a vector; the last one of each run may have fewer.
    """

    shape: tuple[int, ...]
    along: str
    length: int

    @property
    def run(self) -> int:
        """Number of values that are cut one after the other: all channels, or all filters."""
        return self.shape[-2] if self.along == CHANNELS else self.shape[-1]

    @property
    def in_run(self) -> int:
        """Number of vectors of a run."""
        return -(-self.run // self.length)

    @property
    def size(self) -> int:
        """Number of values of the kernel."""
        return math.prod(self.shape)

    @property
    def count(self) -> int:
        """Number of vectors of the kernel."""
        return self.size // self.run * self.in_run

    @property
    def filled(self) -> NDArray[np.int64]:
        """Number of values of each vector, (count,)."""
        whole, rest = divmod(self.run, self.length)
        sizes = [self.length] * whole + [rest] * (rest > 0)
        return np.tile(np.array(sizes, np.int64), self.size // self.run)

    def vectors(self, kernel: NDArray[Any]) -> NDArray[Any]:
        """The vectors of a kernel, (count, length); zeros fill the shorter ones."""
        runs = self._swapped(kernel).reshape(-1, self.run)
        missing = self.in_run * self.length - self.run
        return np.pad(runs, ((0, 0), (0, missing))).reshape(-1, self.length)

    def kernel(self, vectors: NDArray[Any]) -> NDArray[Any]:
        """The kernel of vectors (count, length)."""
        runs = vectors.reshape(-1, self.in_run * self.length)[:, : self.run]
        *places, channels, filters = self.shape
        swapped = (*places, filters, channels) if self.along == CHANNELS else self.shape
        return np.ascontiguousarray(self._swapped(runs.reshape(swapped)))

    def _swapped(self, values: NDArray[Any]) -> NDArray[Any]:
        return np.swapaxes(values, -1, -2) if self.along == CHANNELS else values


def cut_of(shape: Sequence[int], length: int | None, along: str = CHANNELS) -> Cut:
    """The cut of a kernel.

    Where the depth of a layer is below the length, its vectors run across filters; so do those of a
    layer of one channel if the length is the whole depth. A vector never has more values than
    there are channels or filters.

    Args:
        shape: (..., channels, filters).
        length: number of values of a vector; None for all channels, or all filters.
        along: `channels` or `filters`.

    Raises:
        QbenchError: a length below 1, another direction, or a layer without values.
    """
    checks.one_of("along", along, DIRECTIONS)
    if length is not None:
        checks.whole("length", length, 1)
    shape = tuple(int(side) for side in shape)
    if len(shape) < 2 or 0 in shape:
        raise QbenchError(
            f"a kernel of shape {shape} has no vectors: expected channels and filters, at least"
            " one of each."
        )
    depth, filters = shape[-2:]
    if depth < (2 if length is None else length):
        along = FILTERS
    run = depth if along == CHANNELS else filters
    return Cut(shape, along, run if length is None else min(length, run))
