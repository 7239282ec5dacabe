"""Verdicts in words, from an interval and a margin alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

_MOST_SEEDS = 10_000
_MOST_SAID = 100  # nobody trains more, and the spread of few seeds says nothing about so many
_MORE_DIGITS = 3

Seeds = tuple[int, int | None]
"""How many seeds would decide: at least, and at most; None for the latter if no number would."""


class Verdict(Enum):
    """What an interval says about a row; the value is its text in a table."""

    BETTER = "better"
    WORSE = "worse"
    EQUIVALENT = "equivalent"
    BETTER_BELOW_MARGIN = "better, below margin"
    WORSE_BELOW_MARGIN = "worse, below margin"
    UNDECIDED = "undecided"
    SAME = "same by construction"
    REFERENCE = "reference"
    SINGLE = "no interval"
    MISSING = "no values"

    @property
    def decided(self) -> bool:
        """Whether the interval excludes a difference of zero, or one as large as the margin."""
        return self in _DECIDED


_DECIDED = (
    Verdict.BETTER,
    Verdict.WORSE,
    Verdict.EQUIVALENT,
    Verdict.BETTER_BELOW_MARGIN,
    Verdict.WORSE_BELOW_MARGIN,
)


@dataclass(frozen=True)
class Wording:
    """How differences are written.

    Attributes:
        margin: differences that are smaller do not matter; 0 if every difference matters.
        higher_is_better: the direction of the values.
        digits: printed decimal places.
        unit: the unit of differences, such as `percentage points`; may be empty.
    """

    margin: float
    higher_is_better: bool = True
    digits: int = 2
    unit: str = ""

    def signed(self, value: float) -> str:
        """`+0.17`, `-1.00`, `0.00`."""
        text = f"{value:+.{self.digits}f}"
        return text if float(text) else text[1:]

    def interval(self, low: float, high: float, turned: bool = False) -> str:
        """`[-0.10, 0.25]`, with more digits where rounded bounds would have another verdict.

        Args:
            low: the lower bound.
            high: the upper bound.
            turned: whether to write it with the other sign, as `[-0.25, 0.10]`.
        """
        verdict = of_interval(low, high, self.margin, self.higher_is_better)
        for digits in range(self.digits, self.digits + _MORE_DIGITS + 1):
            first, last = (float(f"{bound:.{digits}f}") for bound in (low, high))
            if of_interval(first, last, self.margin, self.higher_is_better) is verdict:
                break
        shown = (-last, -first) if turned else (first, last)
        return f"[{', '.join(f'{bound + 0.0:.{digits}f}' for bound in shown)}]"

    def amount(self, value: float) -> str:
        """`0.17 percentage points`."""
        return f"{value:.{self.digits}f} {self.unit}".rstrip()

    @property
    def shown_margin(self) -> str:
        """The margin with its unit, `0.5 percentage points`."""
        return f"{self.margin:g} {self.unit}".rstrip()


def of_interval(low: float, high: float, margin: float, higher_is_better: bool) -> Verdict:
    """The verdict of an interval of differences, row minus reference.

    Better and worse need an interval without zero. Equivalent, and the two verdicts below the
    margin, need an interval whose bounds are both smaller than the margin.
    """
    if not higher_is_better:
        low, high = -high, -low
    small = -margin < low and high < margin
    if low > 0:
        return Verdict.BETTER_BELOW_MARGIN if small else Verdict.BETTER
    if high < 0:
        return Verdict.WORSE_BELOW_MARGIN if small else Verdict.WORSE
    return Verdict.EQUIVALENT if small else Verdict.UNDECIDED


def sentence(
    verdict: Verdict,
    mean: float,
    low: float,
    high: float,
    wording: Wording,
    more: Seeds | None,
    noun: str = "seed",
) -> str:
    """The verdict with its figures, as a part of a sentence; `noun` is what `more` counts."""
    interval = wording.interval(low, high)
    if verdict is Verdict.EQUIVALENT:
        return f"equivalent within {wording.shown_margin}: {wording.signed(mean)} {interval}"
    if verdict is Verdict.UNDECIDED:
        return f"undecided: {wording.signed(mean)} {interval}{_more_seeds(more, noun)}"
    interval = wording.interval(low, high, turned=mean < 0)
    better = verdict in (Verdict.BETTER, Verdict.BETTER_BELOW_MARGIN)
    said = f"{'better' if better else 'worse'} by {wording.amount(abs(mean))} {interval}"
    if verdict in (Verdict.BETTER_BELOW_MARGIN, Verdict.WORSE_BELOW_MARGIN):
        said += f", but by less than {wording.margin:g}"
    return said


def _more_seeds(more: Seeds | None, noun: str) -> str:
    return f"; {seeds_in_words(more, noun)} would decide it at the present spread" if more else ""


def seeds_in_words(more: Seeds, noun: str = "seed") -> str:
    """`about 8 to 14 seeds`; `at least 8 seeds` if no practical number is sure to decide."""
    least, most = more
    many = "groups of seeds" if noun == "group of seeds" else f"{noun}s"
    if least >= _MOST_SEEDS:
        return f"more than {_MOST_SEEDS:,} {many}"
    if most is None or most > _MOST_SAID:
        return f"at least {least:,} {many}"
    return f"about {least:,} {many}" if least == most else f"about {least:,} to {most:,} {many}"


def seeds_to_decide(
    mean: float, margin: float, seeds: int, half_width: Callable[[int], float]
) -> Seeds:
    """How many seeds would decide a row that is undecided, if their spread stays as it is.

    A true difference d is decided once the half-width is below |d|, which shows that it is not
    zero, or below margin - |d|, which shows that it is smaller than the margin.

    Args:
        mean: the mean difference.
        margin: the margin.
        seeds: the present number of seeds; the answer is larger.
        half_width: the half-width that a number of seeds gives at the present spread.

    Returns:
        The number of seeds if the true difference is the mean; and the number that decides every
        true difference, for which the half-width is half the margin. The second is None without a
        margin. Numbers are at most 10,000.
    """
    size = abs(mean)
    least = _first(seeds, half_width, max(size, margin - size))
    return least, _first(seeds, half_width, margin / 2) if margin > 0 else None


def _first(seeds: int, half_width: Callable[[int], float], bound: float) -> int:
    """The first number of seeds above the present one whose half-width is below the bound."""
    low, high = seeds, _MOST_SEEDS  # half-widths fall with the number of seeds
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if half_width(middle) < bound else (middle, high)
    return high
