"""Two networks on the same images: McNemar's exact test and the bootstrap, against known values."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom

from qbench.statistics import images


def _right(both: int, first: int, second: int, neither: int) -> tuple[np.ndarray, np.ndarray]:
    counts = (both, first, second, neither)
    return np.repeat([1, 1, 0, 0], counts) == 1, np.repeat([1, 0, 1, 0], counts) == 1


@pytest.mark.parametrize(
    ("first", "second", "p"),
    [
        (6, 1, 2 * (1 + 7) / 2**7),
        (1, 6, 2 * (1 + 7) / 2**7),
        (5, 0, 2 / 2**5),
        (4, 4, 1.0),
        (0, 0, 1.0),
        # Agresti, Categorical Data Analysis: 86 and 150 changed their rating; z = -4.17.
        (150, 86, 3.7e-5),
    ],
)
def test_mcnemar(first: int, second: int, p: float) -> None:
    found = images.mcnemar(*_right(50, first, second, 3))
    assert (found.only_first, found.only_second) == (first, second)
    assert found.p == pytest.approx(p, rel=0.02)


def test_the_interval_is_that_of_the_distribution_of_resampled_images() -> None:
    first, second = _right(60, 0, 40, 100)
    found = images.difference(first * 100.0, second * 100.0)
    # 40 of 200 images differ by 100: resampled means are binomial.
    expected = binom.ppf([0.025, 0.975], 200, 0.2) / 2
    assert found.mean == pytest.approx(20.0) and found.images == 200
    assert [found.low, found.high] == pytest.approx(expected, abs=0.51)


def test_values_of_an_image_stay_together_and_equal_calls_are_equal() -> None:
    first = np.random.default_rng(1).normal(size=50) * 1e3
    found = images.difference(first, first + 2.0, resamples=99)
    assert [found.mean, found.low, found.high] == pytest.approx([2.0, 2.0, 2.0])
    second = first[::-1].copy()
    assert images.difference(first, second, resamples=99) == images.difference(
        first, second, resamples=99
    )
    narrow = images.difference(first, second, resamples=999, level=0.5)
    wide = images.difference(first, second, resamples=999)
    assert wide.low < narrow.low < narrow.high < wide.high
