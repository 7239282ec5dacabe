"""How far every row is behind the best of the others, with bounds that hold together.

Each row is compared with every other one, as `compare` does with the row as the reference. The best
row is not known, and the row with the best mean need not be it. The bounds of a row are therefore
the largest of the bounds to all other rows: no matter which row is the best, the bounds contain
the comparison with it. Hsu, "Constrained simultaneous confidence intervals for multiple comparisons
with the best" (1984), with intervals of differences that are paired by seed.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import Enum

from qbench.statistics.comparison import LEVEL, RowComparison, compare
from qbench.statistics.paired import Seed
from qbench.statistics.verdict import Verdict


class Standing(Enum):
    """What the bounds say about a row; the value is its text in a table."""

    WITHIN = "within the margin"
    UNDECIDED = "undecided"
    BEYOND = "worse by more than the margin"
    SINGLE = "no interval"


@dataclass(frozen=True)
class Behind:
    """How far a row is behind the best of the other rows; positive values mean that it is worse.

    Attributes:
        row: its label.
        mean: the largest of the mean differences, in the unit of the values; below 0 for the row
            with the best mean; NaN if there is no row to compare with.
        low: it is at least this far behind; None if no difference has an interval.
        high: it is at most this far behind; None if a difference has no interval.
        standing: what the bounds say.
    """

    row: str
    mean: float
    low: float | None
    high: float | None
    standing: Standing


def behind_best(
    values: Mapping[str, Mapping[Seed, float]],
    *,
    margin: float,
    level: float = LEVEL,
    same: Collection[Collection[str]] = (),
    higher_is_better: bool = True,
    resolution: float = 0.0,
) -> dict[str, Behind]:
    """How far every row is behind the best of the others.

    With probability `level`, the upper bounds of all rows hold together. A row that is less than
    the margin behind the best is BEYOND with at most half of the remaining probability. A single
    row has nothing to be behind, and is WITHIN.

    Args:
        values: the value of every run, by row and seed.
        margin: differences that are smaller do not matter; in the unit of the values.
        level: the probability.
        same: sets of rows that compute the same.
        higher_is_better: the direction of the values.
        resolution: see `compare`.
    """
    found = {}
    for row in values:
        alike = {other for group in same if row in group for other in group} - {row}
        compared = compare(
            values,
            row,
            margin=margin,
            level=level,
            same=alike,
            higher_is_better=higher_is_better,
            resolution=resolution,
        )
        others = [one for one in compared.rows if one.row != row]
        found[row] = _behind(row, others, margin, higher_is_better)
    return found


def _behind(row: str, others: list[RowComparison], margin: float, higher: bool) -> Behind:
    """How far a row is behind, from the comparisons of the others with it."""
    if not others:
        return Behind(row, float("nan"), None, None, Standing.WITHIN)
    bounds = [_bounds(one, higher) for one in others if one.seeds]
    mean = max((middle for _, middle, _ in bounds), default=float("nan"))
    low = max((least for least, _, _ in bounds if least is not None), default=None)
    known = [most for _, _, most in bounds if most is not None]
    high = max(known) if len(known) == len(others) else None
    return Behind(row, mean, low, high, _standing(mean, low, high, margin))


def _bounds(other: RowComparison, higher: bool) -> tuple[float | None, float, float | None]:
    """The lower bound, the mean and the upper bound of how far the other row is ahead."""
    sign = 1 if higher else -1
    mean = sign * other.mean
    if other.low is not None and other.high is not None:
        low, high = sorted((sign * other.low, sign * other.high))
        return low, mean, high
    if other.verdict is Verdict.SAME or len(other.seeds) > 1:
        return mean, mean, mean  # the difference is the same with every seed
    return None, mean, None


def _standing(mean: float, low: float | None, high: float | None, margin: float) -> Standing:
    if low is None:
        return Standing.SINGLE
    if low > margin:
        return Standing.BEYOND
    return Standing.WITHIN if high is not None and high < margin else Standing.UNDECIDED
