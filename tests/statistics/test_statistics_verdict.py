"""Verdicts follow from the interval and the margin alone."""

from __future__ import annotations

import pytest

from qbench.statistics import paired
from qbench.statistics.comparison import compare
from qbench.statistics.verdict import (
    Verdict,
    Wording,
    of_interval,
    seeds_in_words,
    seeds_to_decide,
    sentence,
)

POINTS = Wording(0.5, digits=2, unit="points")
PIXELS = Wording(0.5, higher_is_better=False, digits=3, unit="px")


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [
        (0.6, 1.0, Verdict.BETTER),
        (0.1, 0.7, Verdict.BETTER),
        (-3.7, -3.1, Verdict.WORSE),
        (-0.2, 0.3, Verdict.EQUIVALENT),
        (0.1, 0.4, Verdict.BETTER_BELOW_MARGIN),
        (-0.4, -0.1, Verdict.WORSE_BELOW_MARGIN),
        (-0.4, 0.6, Verdict.UNDECIDED),
        (-0.6, 0.1, Verdict.UNDECIDED),
        (-0.2, 0.5, Verdict.UNDECIDED),
        (0.0, 0.7, Verdict.UNDECIDED),
    ],
)
def test_a_verdict_of_an_interval(low: float, high: float, verdict: Verdict) -> None:
    assert of_interval(low, high, 0.5, True) is verdict
    assert of_interval(-high, -low, 0.5, False) is verdict
    assert verdict.decided is (verdict is not Verdict.UNDECIDED)


def test_without_a_margin_nothing_is_equivalent() -> None:
    assert of_interval(-0.001, 0.001, 0.0, True) is Verdict.UNDECIDED


@pytest.mark.parametrize(
    ("mean", "low", "high", "wording", "said"),
    [
        (-3.4, -3.7, -3.1, POINTS, "worse by 3.40 points [3.10, 3.70]"),
        (0.8, 0.6, 1.0, POINTS, "better by 0.80 points [0.60, 1.00]"),
        (0.8, 0.6, 1.0, PIXELS, "worse by 0.800 px [0.600, 1.000]"),
        (-0.2, -0.3, -0.1, PIXELS, "better by 0.200 px [0.100, 0.300], but by less than 0.5"),
        (-0.2, -0.3, -0.1, POINTS, "worse by 0.20 points [0.10, 0.30], but by less than 0.5"),
        (0.05, -0.1, 0.2, POINTS, "equivalent within 0.5 points: +0.05 [-0.10, 0.20]"),
        (0.1, -0.7, 0.9, POINTS, "undecided: +0.10 [-0.70, 0.90]"),
        # Rounded to two digits these bounds would have another verdict.
        (0.3, 0.003, 0.597, POINTS, "better by 0.30 points [0.003, 0.597]"),
        (-0.3, -0.597, -0.003, POINTS, "worse by 0.30 points [0.003, 0.597]"),
        (0.0, -0.499, 0.499, POINTS, "equivalent within 0.5 points: 0.00 [-0.499, 0.499]"),
        (0.1, -0.4999, 0.7, POINTS, "undecided: +0.10 [-0.50, 0.70]"),
    ],
)
def test_a_verdict_in_words(
    mean: float, low: float, high: float, wording: Wording, said: str
) -> None:
    verdict = of_interval(low, high, wording.margin, wording.higher_is_better)
    assert sentence(verdict, mean, low, high, wording, None) == said


def test_seeds_that_would_decide_by_hand() -> None:
    """One row of spread 1: t(0.975, n - 1) / sqrt(n) is first below 0.6 at 14, 0.5 at 18."""

    def half(n: int) -> float:
        return paired.half_width(1.0, n, 1, 0.95)

    assert half(13) > 0.6 > half(14)
    assert half(17) > 0.5 > half(18)
    assert seeds_to_decide(0.6, 1.0, 5, half) == (14, 18)
    assert seeds_to_decide(-0.4, 1.0, 5, half) == (14, 18)  # equivalent, if that is the difference
    assert seeds_to_decide(0.6, 0.0, 5, half) == (14, None)


def test_that_many_seeds_do_decide() -> None:
    """Repeating the differences keeps the mean and nearly the spread."""
    few = {"a": dict.fromkeys(range(4), 0.0), "b": {0: 0.9, 1: -0.7, 2: 0.2, 3: -0.2}}
    row = compare(few, "a", margin=0.5).row("b")
    assert row.verdict is Verdict.UNDECIDED and row.seeds_to_decide
    least, most = row.seeds_to_decide
    assert most and 4 < least <= most
    many = {"a": dict.fromkeys(range(most), 0.0), "b": {k: few["b"][k % 4] for k in range(most)}}
    assert compare(many, "a", margin=0.5).row("b").verdict.decided
    assert f"{least} to {most} seeds" in row.sentence


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ((8, 14), "about 8 to 14 seeds"),
        ((6, 6), "about 6 seeds"),
        ((6, None), "at least 6 seeds"),
        ((5, 100), "about 5 to 100 seeds"),
        ((5, 101), "at least 5 seeds"),
        ((1200, 10_000), "at least 1,200 seeds"),
        ((10_000, None), "more than 10,000 seeds"),
    ],
)
def test_numbers_of_seeds_in_words(more: tuple[int, int | None], said: str) -> None:
    assert seeds_in_words(more) == said
