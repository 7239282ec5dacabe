"""Which points of a trade-off no other point beats."""

from __future__ import annotations

from collections.abc import Sequence
from math import isnan

_DIGITS = 9
"""Significant digits that count; means of the same sum may differ in the last ones of a double."""


def on_front(costs: Sequence[float], goodness: Sequence[float]) -> list[bool]:
    """Which points no other point beats: as cheap and as good, and better in one of them.

    Args:
        costs: what each point costs; lower is better. A point without (NaN) is not on the front and
            beats no other.
        goodness: how good each point is; higher is better.

    Returns:
        A truth value for each point. Of equal points, all are on the front or none.
    """
    points = [(_rounded(cost), _rounded(good)) for cost, good in zip(costs, goodness, strict=True)]

    def beaten(cost: float, good: float) -> bool:
        return any(x <= cost and y >= good and (x, y) != (cost, good) for x, y in points)

    return [not isnan(cost) and not beaten(cost, good) for cost, good in points]


def _rounded(value: float) -> float:
    return float(f"{value:.{_DIGITS}g}")
