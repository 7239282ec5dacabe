"""How far every row is behind the best of the others, with bounds that hold together.

Each row is compared with every other one, as `compare` does with the row as the reference. The best
row is not known, and the row with the best mean need not be it. The upper bound of a row is
therefore the largest of the bounds to all rows that may be the best, so no matter which of them is,
the row is at most this far behind. Hsu, "Constrained simultaneous confidence intervals for multiple
comparisons with the best" (1984), with intervals of differences that are paired by seed.

A row with one seed has no interval to any other row. Nothing bounds how far ahead it is, so the
bounds of the other rows do not count it, and say that they do not.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from enum import Enum

from qbench.statistics.compared import RowComparison
from qbench.statistics.comparison import compare
from qbench.statistics.methods import LEVEL
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
            with the best mean; NaN if there is no row to compare with. If an interval to another
            row exists, rows in `uncounted` do not count here either.
        low: it is at least this far behind; None if no difference has an interval.
        high: it is at most this far behind; None if no difference has an interval; 0 if no other
            row can be the best.
        standing: what the bounds say.
        uncounted: the rows without an interval of the difference, because they have fewer than two
            seeds in common with this row. Bounds and standing say nothing of these.
    """

    row: str
    mean: float
    low: float | None
    high: float | None
    standing: Standing
    uncounted: tuple[str, ...] = ()


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

    With probability `level`, the upper bounds of all rows hold together, among the rows that can be
    compared (`Behind.uncounted`). A row that is less than the margin behind the best is BEYOND with
    at most half of the remaining probability. A single row has nothing to be behind, and is WITHIN.

    Args:
        values: the value of every run, by row and seed.
        margin: differences that are smaller do not matter; in the unit of the values.
        level: the probability.
        same: sets of rows that compute the same.
        higher_is_better: the direction of the values.
        resolution: see `compare`.
    """
    ahead = {
        row: {
            one.row: _ahead(one, higher_is_better)
            for one in compare(
                values,
                row,
                margin=margin,
                level=level,
                same={other for group in same if row in group for other in group} - {row},
                higher_is_better=higher_is_better,
                resolution=resolution,
            ).rows
            if one.row != row
        }
        for row in values
    }
    # A row that is surely behind another one is not the best, so no other row is behind it.
    best = [row for row, others in ahead.items() if not _is_behind(others.values())]
    return {row: _behind(row, ahead[row], best, margin) for row in values}


@dataclass(frozen=True)
class _Ahead:
    """How far another row is ahead: bounds and mean; None if they are not known."""

    low: float | None
    mean: float | None
    high: float | None
    same: bool


def _is_behind(others: Iterable[_Ahead]) -> bool:
    return any(one.low is not None and one.low > 0 for one in others)


def _behind(row: str, others: Mapping[str, _Ahead], best: Collection[str], margin: float) -> Behind:
    """How far a row is behind, from how far the others are ahead."""
    if not others:
        return Behind(row, float("nan"), None, None, Standing.WITHIN)
    uncounted = tuple(name for name, one in others.items() if one.low is None)
    apart = [name for name, one in others.items() if not one.same]
    bounded = {
        name: (one.low, one.mean, one.high)
        for name, one in others.items()
        if one.low is not None and one.mean is not None and one.high is not None
    }
    if not bounded or (apart and {*apart} <= {*uncounted}):
        means = [one.mean for one in others.values() if one.mean is not None]
        mean = max(means, default=float("nan"))
        return Behind(row, mean, None, None, Standing.SINGLE, uncounted)
    low, mean = (max(one[part] for one in bounded.values()) for part in (0, 1))
    high = max((bounds[2] for name, bounds in bounded.items() if name in best), default=0.0)
    if low > margin:
        standing = Standing.BEYOND
    elif high < margin or not {*best} & {*bounded}:
        standing = Standing.WITHIN
    else:
        standing = Standing.UNDECIDED
    return Behind(row, mean, low, high, standing, uncounted)


def _ahead(other: RowComparison, higher: bool) -> _Ahead:
    """How far a row is ahead of the reference of its comparison."""
    sign, same = 1 if higher else -1, other.verdict is Verdict.SAME
    if not other.seeds:
        return _Ahead(None, None, None, same)
    mean = sign * other.mean
    if other.low is not None and other.high is not None:
        low, high = sorted((sign * other.low, sign * other.high))
        return _Ahead(low, mean, high, same)
    if same or len(other.seeds) > 1:
        return _Ahead(mean, mean, mean, same)  # the difference is the same with every seed
    return _Ahead(None, mean, None, same)
