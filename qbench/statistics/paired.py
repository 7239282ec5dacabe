"""Differences of runs of the same seed, and intervals of their means that hold together.

Rows of one seed share their data order and their float steps, so a seed shifts all of them
alike. The difference of two runs of one seed has no such shift. The interval of a mean difference
is Student's, and each row has its own spread: rows need not be equally noisy. Bonferroni's
inequality makes the intervals of a family of rows hold together: with m rows each has the level
1 - (1 - level) / m.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import sqrt
from statistics import fmean, stdev
from typing import Any

Seed = Any
"""The number of a seed, or another key that names what two values share."""

_ROUNDING = 1e-9  # of the mean: differences of float64 values that are closer are equal


@dataclass(frozen=True)
class Paired:
    """The differences of one row.

    Attributes:
        seeds: the seeds with a value of the row and of the reference.
        differences: row minus reference, one for each of these seeds.
        mean: their mean; NaN if there are none.
        deviation: their sample standard deviation; NaN with fewer than two, and if groups of seeds
            overlap; 0 if they differ only by the rounding of float64.
    """

    seeds: tuple[Seed, ...]
    differences: tuple[float, ...]
    mean: float
    deviation: float

    @property
    def noun(self) -> str:
        """What two values of a pair share: a seed, or the seeds of an ensemble's members."""
        return "group of seeds" if any(isinstance(one, tuple) for one in self.seeds) else "seed"

    @property
    def overlap(self) -> bool:
        """Whether two groups share a seed: their differences are not independent."""
        return share_seeds(self.seeds)


def share_seeds(seeds: Iterable[Seed]) -> bool:
    """Whether two groups of seeds, which are tuples, have a seed in common."""
    members = [member for one in seeds if isinstance(one, tuple) for member in one]
    return len(set(members)) < len(members)


def pairs(row: Mapping[Seed, float], reference: Mapping[Seed, float]) -> Paired:
    """The differences of the seeds that both have, in the order of the row's seeds."""
    return of_differences({seed: row[seed] - reference[seed] for seed in row if seed in reference})


def of_differences(found: Mapping[Seed, float]) -> Paired:
    """The differences of one row that were computed elsewhere, by their seeds."""
    values = tuple(found.values())
    mean = fmean(values) if values else float("nan")
    several = len(values) > 1 and not share_seeds(found)
    deviation = stdev(values) if several else float("nan")
    if deviation <= _ROUNDING * abs(mean):
        deviation = 0.0
    return Paired(tuple(found), values, mean, deviation)


def half_width(deviation: float, seeds: int, family: int, level: float) -> float:
    """Half the width of a simultaneous interval of a mean difference.

    Args:
        deviation: standard deviation of the differences.
        seeds: number of differences, at least 2.
        family: number of rows whose intervals hold together, at least 1.
        level: the probability that all of them hold, such as 0.95.
    """
    return quantile(seeds - 1, family, level) * deviation / sqrt(seeds)


def corrected(level: float, looks: int) -> float:
    """The level of the intervals of one look, such that those of all looks hold together.

    Whoever compares after each further seed, and stops when the intervals say enough, has as many
    chances of a wrong interval as looks. Bonferroni's inequality bounds their sum, whatever the
    rule of stopping is; group sequential tests with one nominal level for all looks are Pocock's
    (1977), "Group sequential methods in the design and analysis of clinical trials".

    Args:
        level: the probability that all intervals of all looks hold.
        looks: number of looks, fixed before the first one.
    """
    return 1 - (1 - level) / looks


def with_more_looks(level: float, stages: Sequence[int]) -> float:
    """The probability that all intervals of all looks hold if more looks were added after looking.

    The first looks may have used up all of 1 - level. Each further one adds what an interval of its
    own level may be wrong (Bonferroni's inequality).

    Args:
        level: the probability that was planned.
        stages: the number of looks that was planned, and each larger one that came after.
    """
    added = sum((now - before) / now for before, now in pairwise(stages))
    return 1 - (1 - level) * (1 + added)


def quantile(degrees: int, family: int, level: float) -> float:
    """The two-sided quantile of Student's t at level 1 - (1 - level) / family."""
    # scipy.special alone takes a tenth of the time that scipy.stats takes to import.
    from scipy.special import stdtrit

    return float(stdtrit(degrees, 1 - (1 - level) / family / 2))
