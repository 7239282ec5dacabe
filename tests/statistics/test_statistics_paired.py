"""Simultaneous intervals of paired differences, against hand-computed values and scipy.stats."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from qbench.base.errors import QbenchError
from qbench.statistics import paired
from qbench.statistics.comparison import compare, compare_differences
from qbench.statistics.notes import DUNNETT_WARNING
from qbench.statistics.verdict import Verdict

REFERENCE = {0: 10.0, 1: 20.0, 2: 30.0}


def test_an_interval_by_hand() -> None:
    """Differences 1, 2, 3: mean 2, deviation 1; Student's t(0.975, 2) is 4.3027."""
    row = compare({"a": REFERENCE, "b": {0: 11.0, 1: 22.0, 2: 33.0}}, "a", margin=0.5).row("b")
    assert (row.seeds, row.differences) == ((0, 1, 2), (1.0, 2.0, 3.0))
    assert (row.mean, row.deviation) == (2.0, 1.0)
    assert row.low == pytest.approx(2 - 4.30265 / 3**0.5, abs=1e-5)
    assert row.high == pytest.approx(2 + 4.30265 / 3**0.5, abs=1e-5)


def test_two_rows_share_the_level() -> None:
    """Bonferroni: t(0.9875, 2) is 6.2053 in tables of the t distribution for two comparisons."""
    rows = {"a": REFERENCE, "b": {0: 11.0, 1: 22.0, 2: 33.0}, "c": {0: 9.0, 1: 19.0, 2: 30.0}}
    found = compare(rows, "a", margin=0.5)
    assert found.family == 2
    row = found.row("b")
    assert row.high is not None
    assert row.high - row.mean == pytest.approx(6.2053 / 3**0.5, abs=1e-4)


@pytest.mark.parametrize(("seeds", "expected"), [(3, 1.6), (5, 0.45), (8, 0.25)])
def test_half_widths_of_fifteen_rows(seeds: int, expected: float) -> None:
    """At a deviation of 0.16, as docs/statistics.md has them."""
    assert paired.half_width(0.16, seeds, 15, 0.95) == pytest.approx(expected, rel=0.05)


def test_intervals_are_those_of_a_paired_t_test_at_the_corrected_level() -> None:
    random = np.random.default_rng(5)
    table = random.normal(80, 1, (4, 6))
    values = {f"row {k}": dict(enumerate(line)) for k, line in enumerate(table.tolist())}
    found = compare(values, "row 0", margin=0.5, level=0.9)
    for number in (1, 2, 3):
        test = stats.ttest_rel(table[number], table[0])
        low, high = test.confidence_interval(1 - 0.1 / 3)
        row = found.row(f"row {number}")
        assert (row.low, row.high) == (pytest.approx(low), pytest.approx(high))


def test_only_seeds_that_both_have_count_and_it_is_said() -> None:
    rows = {
        "default": {0: 1.0, 2: 2.0, 3: 4.0},
        "b": {0: 2.0, 1: 9.0, 2: 2.5},
        "c": {0: 1.5, 2: 3.0, 3: 4.0},
        "d": {1: 5.0},
    }
    found = compare(rows, "default", margin=0.5)
    assert (found.row("b").seeds, found.row("b").differences) == ((0, 2), (1.0, 0.5))
    assert found.row("d").verdict is Verdict.MISSING
    assert found.row("d").sentence == "has no seed in common with default"
    assert "Only pairs count: of 3 seeds, these rows have fewer: b (2)." in found.notes
    assert found.family == 2


def test_a_row_that_is_the_same_is_left_out_of_the_family() -> None:
    rows = {"a": REFERENCE, "b": {0: 11.0, 1: 22.0, 2: 33.0}, "c": {0: 10.0, 1: 20.0, 2: 30.1}}
    alone = compare({"a": rows["a"], "b": rows["b"]}, "a", margin=0.5).row("b")
    found = compare(rows, "a", margin=0.5, same=["c"])
    assert found.row("b") == alone
    same = found.row("c")
    assert (same.verdict, same.low, same.high) == (Verdict.SAME, None, None)
    assert same.sentence == "the same by construction (+0.03)"


def test_one_seed_gives_no_interval_and_it_is_said() -> None:
    found = compare({"a": {0: 98.5}, "b": {0: 97.66}}, "a", margin=0.5)
    row = found.row("b")
    assert (row.low, row.high, row.verdict) == (None, None, Verdict.SINGLE)
    assert row.sentence == "-0.84 with one seed, which gives no interval"
    assert found.family == 0
    (note,) = found.notes
    assert note.startswith("One seed gives no interval")


def test_equal_differences_have_the_spread_of_half_a_step() -> None:
    """Shares of 599 images move in steps of 0.167; five equal differences show no certainty."""
    rows = {"a": dict.fromkeys(range(5), 98.5), "b": dict.fromkeys(range(5), 98.333)}
    continuous = compare(rows, "a", margin=0.5).row("b")
    assert (continuous.verdict, continuous.low) == (Verdict.SINGLE, None)
    assert "with every seed" in continuous.sentence
    row = compare(rows, "a", margin=0.5, resolution=100 / 599).row("b")
    assert row.low is not None and row.high is not None
    assert row.high - row.mean == pytest.approx(2.77645 * 50 / 599 / 5**0.5, abs=1e-5)
    assert row.deviation == pytest.approx(0)


def test_differences_that_only_rounding_tells_apart_are_equal() -> None:
    rows = {"a": {0: 0.3, 1: 0.7, 2: 0.1}, "b": {0: 0.4, 1: 0.8, 2: 0.2}}
    row = compare(rows, "a", margin=0.05).row("b")
    assert len(set(row.differences)) == 3  # 0.4 - 0.3 is not 0.2 - 0.1
    assert (row.verdict, row.low, row.deviation) == (Verdict.SINGLE, None, 0.0)


@pytest.mark.parametrize("seeds", [2, 4, 5])
def test_few_seeds_are_named(seeds: int) -> None:
    rows = {"a": {k: float(k) for k in range(seeds)}, "b": {k: k * 1.1 for k in range(seeds)}}
    found = compare(rows, "a", margin=0.5)
    assert found.few is (seeds < 5)
    assert any("only large effects" in note for note in found.notes) is (seeds < 5)


def test_differences_to_several_references() -> None:
    found = compare_differences({"x": {0: 1.0, 1: 2.0, 2: 3.0}}, "its float row", margin=0.5)
    assert found.row("x").low == pytest.approx(2 - 4.30265 / 3**0.5, abs=1e-5)
    assert found.notes[0].startswith("Differences are to its float row")


def test_the_warning_of_dunnett_is_not_that_of_the_default() -> None:
    rows = {"a": dict.fromkeys(range(7), 1.0), "b": {k: float(k) for k in range(7)}}
    assert DUNNETT_WARNING not in compare(rows, "a", margin=0.5).notes
    with pytest.raises(QbenchError, match=r"stats\.method=dunnett .* 7 seeds .* 8 or more"):
        compare(rows, "a", margin=0.5, method="dunnett")


def test_groups_of_seeds_are_called_so() -> None:
    """An ensemble of two seeds is compared with the mean of the reference over these seeds."""
    pairs = {(0, 1): 1.5, (2, 3): 2.5}
    rows = {
        "a": {0: 1.0, 1: 2.0, 2: 3.0, 3: 2.0, **pairs},
        "two": {(0, 1): 2.0, (2, 3): 2.6},
        "one": {(0, 1): 2.0},
    }
    found = compare(rows, "a", margin=0.5)
    assert "groups of seeds would decide it" in found.row("two").sentence
    assert found.row("one").sentence == "+0.50 with one group of seeds, which gives no interval"
    assert not any("Only pairs count" in note or "One seed" in note for note in found.notes)


def test_intervals_of_several_looks_share_the_level() -> None:
    """Two looks at one row are as two rows at once: t(0.9875, 2) is 6.2053."""
    found = compare({"a": REFERENCE, "b": {0: 11.0, 1: 22.0, 2: 33.0}}, "a", margin=0.5, looks=2)
    row = found.row("b")
    assert row.high is not None
    assert row.high - row.mean == pytest.approx(6.2053 / 3**0.5, abs=1e-4)
    assert (found.level, found.looks) == (0.95, 2)
    assert "up to 2 times" in found.notes[1]
    assert paired.corrected(0.95, 1) == pytest.approx(0.95)
