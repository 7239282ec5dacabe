"""Dunnett's method with seeds as blocks, against published quantiles and hand computation."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from qbench.statistics import dunnett
from qbench.statistics.comparison import compare
from qbench.statistics.notes import DUNNETT_WARNING
from qbench.statistics.verdict import Verdict


@pytest.mark.parametrize(
    ("family", "degrees", "expected"),
    [(2, 5, 3.03), (2, 10, 2.57), (3, 10, 2.76), (9, 10, 3.24), (3, 20, 2.54), (9, 100_000, 2.69)],
)
def test_quantiles_of_dunnetts_table(family: int, degrees: int, expected: float) -> None:
    """Dunnett, "New tables for multiple comparisons with a control" (1964), two-sided, 95 %."""
    assert dunnett.quantile(degrees, family, 0.95) == pytest.approx(expected, abs=0.006)


def test_one_comparison_is_students() -> None:
    assert dunnett.quantile(7, 1, 0.95) == pytest.approx(stats.t.ppf(0.975, 7), abs=1e-5)


def test_the_probability_is_that_of_the_multivariate_t() -> None:
    shape = np.full((4, 4), 0.5) + 0.5 * np.eye(4)
    other = stats.multivariate_t(shape=shape, df=12, seed=1)
    expected = other.cdf([2.5] * 4, lower_limit=[-2.5] * 4, maxpts=200_000)
    assert dunnett.probability(2.5, 12, 4) == pytest.approx(expected, abs=2e-4)


def test_the_deviation_leaves_out_rows_and_seeds() -> None:
    """Two rows: the noise of the differences. Residuals +-0.25: 2 x 0.25 / 1 degree, rooted."""
    table = np.array([[1.0, 3.0], [2.0, 5.0]])
    assert dunnett.deviation(table) == pytest.approx(np.std([1.0, 2.0], ddof=1))
    shifted = table + np.array([[0.0], [7.0]]) + np.array([10.0, -4.0])
    assert dunnett.deviation(shifted) == pytest.approx(2**-0.5)


def _rows(seeds: int = 8) -> dict[str, dict[int, float]]:
    random = np.random.default_rng(3)
    shared = random.normal(80, 2, seeds)
    made = {name: shared + random.normal(0, 0.2, seeds) for name in ("default", "b", "c")}
    made["b"] -= 3
    return {name: dict(enumerate(line.tolist())) for name, line in made.items()}


def test_intervals_have_one_width_and_the_warning() -> None:
    rows = _rows()
    found = compare(rows, "default", margin=0.5, method="dunnett")
    table = np.array([list(row.values()) for row in rows.values()])
    half = dunnett.quantile(14, 2, 0.95) * dunnett.deviation(table) / 8**0.5
    for name in ("b", "c"):
        row = found.row(name)
        assert row.low == pytest.approx(row.mean - half)
        assert row.high == pytest.approx(row.mean + half)
    assert found.row("b").verdict is Verdict.WORSE
    assert DUNNETT_WARNING in found.notes


def test_only_seeds_of_all_rows_count_and_rows_without_values_do_not() -> None:
    rows = _rows(9)
    del rows["c"][4]
    rows["failed"] = {}
    found = compare(rows, "default", margin=0.5, method="dunnett")
    assert found.row("b").seeds == found.row("c").seeds == (0, 1, 2, 3, 5, 6, 7, 8)
    assert (found.row("failed").verdict, found.family) == (Verdict.MISSING, 2)
