"""What a comparison of the rows of a table gives."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from qbench.statistics.methods import FEW, Method
from qbench.statistics.paired import Seed
from qbench.statistics.verdict import Seeds, Verdict, Wording


@dataclass(frozen=True)
class RowComparison:
    """A row against the reference.

    Attributes:
        row: its label.
        seeds: the seeds with values of both.
        differences: row minus reference for each of these seeds, in the unit of the values.
        mean: the mean of the differences; NaN if there are none.
        deviation: their sample standard deviation; NaN with fewer than two.
        low: lower bound of the simultaneous interval; None if the row has no interval.
        high: upper bound.
        verdict: what the interval says.
        sentence: the verdict with its figures in words; the row is its subject.
        seeds_to_decide: for an undecided row, how many seeds would decide it.
    """

    row: str
    seeds: tuple[Seed, ...]
    differences: tuple[float, ...]
    mean: float
    deviation: float
    low: float | None
    high: float | None
    verdict: Verdict
    sentence: str
    seeds_to_decide: Seeds | None = None


@dataclass(frozen=True)
class Comparison:
    """All rows against the reference.

    Attributes:
        reference: the label of the reference.
        method: a name in METHODS.
        level: the probability that all intervals hold.
        family: number of rows with an interval.
        wording: margin, direction, digits and unit of the differences.
        rows: one for each row, in the order of the values; the reference is among them.
        notes: sentences that belong to the intervals.
        looks: how often the rows may be compared so that the intervals of all times hold together.
    """

    reference: str
    method: Method
    level: float
    family: int
    wording: Wording
    rows: tuple[RowComparison, ...]
    notes: tuple[str, ...]
    looks: int = 1

    def row(self, label: str) -> RowComparison:
        """The comparison of a row; KeyError if it has none."""
        return self.by_label[label]

    @cached_property
    def by_label(self) -> dict[str, RowComparison]:
        """The comparisons of rows by label."""
        return {one.row: one for one in self.rows}

    @property
    def few(self) -> bool:
        """Whether a row with an interval has so few seeds that only large effects show."""
        return any(one.low is not None and len(one.seeds) < FEW for one in self.rows)
