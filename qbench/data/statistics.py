"""Mean and standard deviation of each channel of the training images."""

from __future__ import annotations

from dataclasses import dataclass
from math import isqrt, prod
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from qbench.base.errors import QbenchError
from qbench.data.dataset import Dataset
from qbench.data.rows import Images

_AT_ONCE = 2**24  # values that are squared at once


@dataclass(frozen=True)
class Statistics:
    """The mean and the standard deviation of each channel's pixels, on the scale of 0 to 255."""

    mean: tuple[float, ...]
    deviation: tuple[float, ...]

    def as_record(self) -> dict[str, Any]:
        """The statistics as records have them."""
        return {"mean": list(self.mean), "standard_deviation": list(self.deviation)}


_KNOWN: WeakKeyDictionary[Dataset, Statistics] = WeakKeyDictionary()


def statistics_of(data: Dataset) -> Statistics:
    """The statistics of the training images of these data, at their own size.

    Args:
        data: the data, without the validation images.

    Raises:
        QbenchError: all pixels of a channel are equal, so that nothing can be divided by their
            deviation.
    """
    if data not in _KNOWN:
        found = statistics(data.train_images)
        if not all(found.deviation):
            channel = found.deviation.index(0.0)
            raise QbenchError(
                "data.preprocessing=mean_std: all pixels of channel"
                f" {channel} of the training images of {data.name} are"
                f" {found.mean[channel]:g}, so their standard deviation is 0."
            )
        _KNOWN[data] = found
    return _KNOWN[data]


def statistics(images: Images) -> Statistics:
    """The statistics of images (N, H, W, C), in memory or on disk.

    They are computed from whole numbers, so that they are exact and do not depend on an order.
    """
    count, *sides, channels = images.shape
    step = max(_AT_ONCE // (prod(sides) * channels), 1)
    sums, squares = [0] * channels, [0] * channels
    for start in range(0, len(images), step):
        part = np.asarray(images[start : start + step]).reshape(-1, channels).astype(np.uint32)
        sums = [a + int(b) for a, b in zip(sums, part.sum(axis=0, dtype=np.uint64), strict=True)]
        part *= part
        more = part.sum(axis=0, dtype=np.uint64)
        squares = [a + int(b) for a, b in zip(squares, more, strict=True)]
    count *= prod(sides)
    spread = [count * square - total**2 for total, square in zip(sums, squares, strict=True)]
    return Statistics(
        tuple(total / count for total in sums), tuple(_root(one) / count for one in spread)
    )


def _root(value: int) -> float:
    """The square root of a whole number, correct to a float's precision for numbers of any size."""
    shift = 2**64
    return isqrt(value * shift**2) / shift
