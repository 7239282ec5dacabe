"""Cells and lines that several tables of docs/claims.md share."""

from __future__ import annotations

from statistics import fmean, stdev

from qbench.report.values import signed
from qbench.statistics.compared import Comparison

MARGIN = 0.5  # percentage points, as `stats.margin` is by default

Values = dict[int, float]
"""A value by seed."""


def mean_of(values: Values) -> str:
    """Mean and sample deviation over seeds."""
    each = list(values.values())
    if not each:
        return "-"
    return f"{fmean(each):.2f}" + (f" ± {stdev(each):.2f}" if len(each) > 1 else "")


def difference_line(made: Comparison, name: str, differences: Values) -> list[str]:
    """A line of a table: seeds, mean, the least and the most, interval and verdict."""
    one = made.row(name)
    each = differences.values()
    ends = f"{signed(min(each), 2)} to {signed(max(each), 2)}" if each else "-"
    interval = "-" if one.low is None else f"[{one.low:.2f}, {one.high:.2f}]"
    mean = signed(one.mean, 2) if one.seeds else "-"
    return [name, str(len(one.seeds)), mean, ends, interval, one.verdict.value]
