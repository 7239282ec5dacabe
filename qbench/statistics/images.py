"""Two networks on the same test images: how much the choice of these images matters.

The unit is the image. This is another source of error than the seed: it says nothing of networks
that were trained with other seeds, and its intervals never stand for those of `comparison`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

LEVEL = 0.95
RESAMPLES = 9_999
SEED = 0
_VALUES = 2**23  # values that the bootstrap draws at once


@dataclass(frozen=True)
class McNemar:
    """McNemar's exact test (McNemar 1947, with the binomial distribution).

    Attributes:
        only_first: number of images that only the first network gets right.
        only_second: number of images that only the second network gets right.
        p: two-sided probability of a split at least as uneven, if each of these images were as
            likely to be in one group as in the other; 1 if there are none.
    """

    only_first: int
    only_second: int
    p: float


@dataclass(frozen=True)
class Difference:
    """The mean difference over images, second network less first.

    Attributes:
        mean: the mean.
        low: lower bound of the percentile interval of the bootstrap over images.
        high: upper bound.
        level: the level of the interval.
        images: number of images.
    """

    mean: float
    low: float
    high: float
    level: float
    images: int


def mcnemar(first: NDArray[np.bool_], second: NDArray[np.bool_]) -> McNemar:
    """Compare which images two networks get right.

    Args:
        first: (N,) bool, whether the first network gets each image right.
        second: (N,) bool, the same for the second network, in the same order.
    """
    from scipy.stats import binomtest

    only_first, only_second = int((first & ~second).sum()), int((second & ~first).sum())
    either = only_first + only_second
    p = float(binomtest(only_first, either).pvalue) if either else 1.0
    return McNemar(only_first, only_second, p)


def difference(
    first: NDArray[np.float64],
    second: NDArray[np.float64],
    *,
    level: float = LEVEL,
    resamples: int = RESAMPLES,
    seed: int = SEED,
) -> Difference:
    """The mean difference of paired values, with a bootstrap over images.

    Whole images are drawn, so both values of an image stay together. Equal arguments give equal
    results.

    Args:
        first: (N,) values of the first network, N at least 2.
        second: (N,) values of the second network, in the same order.
        level: the level of the interval.
        resamples: how often N images are drawn.
        seed: the seed of the draws.
    """
    from scipy.stats import bootstrap

    apart = second.astype(np.float64) - first
    found = bootstrap(
        (apart,),
        np.mean,
        n_resamples=resamples,
        batch=max(1, _VALUES // len(apart)),
        confidence_level=level,
        method="percentile",
        rng=np.random.default_rng(seed),
    ).confidence_interval
    return Difference(float(apart.mean()), float(found.low), float(found.high), level, len(apart))
