"""What a recommendation asks for and what it answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from qbench.report.deployed import PATH
from qbench.report.recommend.candidates import VALIDATION, Candidate, Candidates, Part
from qbench.statistics.best import Behind
from qbench.tasks.metric import Metric

Order = Literal["size", "latency"]
SIZE: Order = "size"
LATENCY: Order = "latency"
ORDERS = (SIZE, LATENCY)


@dataclass(frozen=True)
class Limits:
    """What a row must satisfy, and how rows are chosen.

    Attributes:
        size: the largest allowed size of a file in bytes; None for any.
        latency: the largest allowed milliseconds of an invocation; None for any.
        metric: the worst allowed mean of the first metric on the images of the choice: the least
            value, or the largest one if lower is better; None for any.
        margin: smaller differences do not matter, in the unit of the metric; None: the margin of
            the sweep.
        kernels: the kernel path of latencies and of figures of files.
        order: whether the smallest or the fastest row comes first.
        part: the images that the choice sees.
    """

    size: float | None = None
    latency: float | None = None
    metric: float | None = None
    margin: float | None = None
    kernels: str = PATH
    order: Order = SIZE
    part: Part = VALIDATION


@dataclass(frozen=True)
class Figures:
    """Figures of the test images; they play no part in the choice.

    Attributes:
        mean: the first metric in simulation, the mean over the seeds.
        deviation: its sample standard deviation; None with one seed.
        seeds: number of seeds.
        difference: row minus best row, the mean over the seeds that both have; None for the best
            row.
        low: lower bound of its interval; None without an interval.
        high: upper bound; the intervals of all recommended rows hold together.
        deployed: the metric of the files, the mean over the seeds that have one; None if unknown.
        deployed_deviation: its sample standard deviation; None with fewer than two of these seeds.
        simulated: the metric in simulation of these seeds alone.
        deployed_seeds: number of these seeds.
    """

    mean: float
    deviation: float | None
    seeds: int
    difference: float | None
    low: float | None
    high: float | None
    deployed: float | None
    deployed_deviation: float | None
    simulated: float | None
    deployed_seeds: int


@dataclass(frozen=True)
class Choice:
    """A recommended row.

    Attributes:
        candidate: its size, its latency, and the values that the choice saw.
        behind: how far it is behind the best row, from these values.
        test: its figures.
    """

    candidate: Candidate
    behind: Behind
    test: Figures

    @property
    def label(self) -> str:
        """The label of the row."""
        return self.candidate.label


@dataclass(frozen=True)
class Miss:
    """A limit that a row exceeds.

    Attributes:
        limit: `size`, `latency` or `metric`.
        value: the row's value, in the unit of the limit.
        allowed: the limit.
    """

    limit: str
    value: float
    allowed: float

    @property
    def share(self) -> float:
        """The excess as a share of the limit."""
        return abs(self.value - self.allowed) / (abs(self.allowed) or 1.0)


@dataclass(frozen=True)
class Nearest:
    """The row that is nearest to the limits if no row satisfies them: its worst share is least."""

    candidate: Candidate
    misses: tuple[Miss, ...]


@dataclass(frozen=True)
class Recommendation:
    """The answer.

    Attributes:
        metric: the first metric of the sweep.
        limits: what was asked for.
        margin: the margin in use, in the unit of the metric.
        found: all rows that the choice was among, and why others were not.
        best: the label of the row with the best mean of those that satisfy the limits, among those
            with the most seeds; None if no row satisfies them.
        choices: the recommended rows, the smallest or fastest first.
        undecided: rows that satisfy the limits and are measured further than the margin behind the
            best, which is not shown.
        worse: rows that satisfy the limits and are shown to be further behind.
        nearest: if no row satisfies the limits, the nearest; None if there is no row at all.
    """

    metric: Metric
    limits: Limits
    margin: float
    found: Candidates
    best: str | None
    choices: tuple[Choice, ...]
    undecided: tuple[Behind, ...]
    worse: tuple[Behind, ...]
    nearest: Nearest | None
