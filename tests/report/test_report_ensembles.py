"""Ensembles by their number of members: hand-computed values, and those that share seeds."""

from __future__ import annotations

import csv
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from statistics import fmean

import pytest
import report_derived as derived
import report_examples as examples

from qbench.planning.draws import DISJOINT, ROTATED
from qbench.report import ensembles
from qbench.report.build import build_report
from qbench.report.collect import collect
from qbench.report.comparison import comparisons
from qbench.statistics.paired import of_differences
from qbench.statistics.verdict import Verdict

LABEL = "ensemble of 3: default"


def _write(folder: Path, draws: str) -> Path:
    """Baseline and default with six seeds, and as ensembles of three."""
    made = examples.write(folder, examples.rows(6)[:2], seeds=6)
    derived.add(made, 3, draws=draws)
    return made


def _read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def _single(seed: int) -> float:
    return examples.metrics(1, seed)["accuracy"]


def test_values_gains_and_the_best_of_the_members(tmp_path: Path) -> None:
    folder = _write(tmp_path, DISJOINT)
    build_report(folder)
    lines = _read(folder / "ensembles.csv")
    assert [(line["configuration"], line["members"]) for line in lines] == [
        *(("baseline", "1"), ("baseline", "3"), ("default", "1"), ("default", "3"))
    ]
    one, three = lines[2:]
    singles = [_single(seed) for seed in range(6)]
    assert float(one["accuracy"]) == pytest.approx(fmean(singles), abs=1e-6)
    assert float(one["accuracy_highest"]) == pytest.approx(max(singles), abs=1e-6)
    assert (one["ensembles"], one["difference"], three["ensembles"]) == ("6", "", "2")
    values = [derived.accuracy(1, group) for group in (0, 1)]
    best = [max(singles[:3]), max(singles[3:])]
    assert float(three["accuracy"]) == pytest.approx(fmean(values), abs=1e-6)
    assert float(three["mean_member"]) == pytest.approx(fmean(singles), abs=1e-6)
    assert float(three["best_member"]) == pytest.approx(fmean(best), abs=1e-6)
    gain = fmean(values) - fmean(singles)
    assert float(three["difference"]) == pytest.approx(gain, abs=1e-6)
    assert float(three["difference_low"]) < gain < float(three["difference_high"])
    assert (folder / "figures" / "ensembles.svg").is_file()
    assert "Accuracy by number of members" in (folder / "report.html").read_text()


def test_seven_sizes_have_a_mark_each_and_a_dot_for_every_draw(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = examples.write(tmp_path, examples.rows(9)[:2], seeds=9)
    for count in range(2, 8):
        monkeypatch.setattr(derived, "FIRST", 100 * count)  # other runs for each size
        derived.add(folder, count, draws=ROTATED)
    sweep = collect(folder)
    found = ensembles.points(sweep)
    assert [point.members for point in found] == [*range(1, 8)] * 2
    left, right = ensembles._draw(found, sweep.metric).axes
    assert left.get_xticks().tolist() == [*range(1, 8)]
    means = [fmean(point.found.values()) for point in found[7:]]
    assert left.get_lines()[2].get_ydata().tolist() == means
    assert right.get_lines()[1].get_ydata().tolist() == means
    assert [len(dots.get_offsets()) for dots in left.collections] == [9] * 14
    each = [sorted(dots.get_offsets()[:, 1].tolist()) for dots in left.collections]
    assert each == [sorted(point.found.values()) for point in found]


def test_ensembles_that_share_seeds_have_neither_deviation_nor_interval(tmp_path: Path) -> None:
    folder = _write(tmp_path, ROTATED)
    build_report(folder)
    *_, three = _read(folder / "ensembles.csv")
    assert three["ensembles"] == "6"
    values = [derived.accuracy(1, group) for group in range(6)]
    singles = fmean(_single(seed) for seed in range(6))  # each seed is in three of them
    assert float(three["accuracy"]) == pytest.approx(fmean(values), abs=1e-6)
    assert float(three["mean_member"]) == pytest.approx(singles, abs=1e-6)
    empty = [three[key] for key in ("difference_std", "difference_low", "difference_high")]
    assert (empty, three["verdict"]) == ([""] * 3, "no interval")
    line = next(one for one in _read(folder / "table.csv") if one["configuration"] == LABEL)
    assert (line["accuracy_std"], line["n_seeds"]) == ("", "6")
    made = comparisons(collect(folder)).simulated
    assert made is not None
    row = made.row(LABEL)
    assert (row.low, row.high, row.verdict) == (None, None, Verdict.SINGLE)
    assert row.sentence.endswith("with groups that share seeds, which gives no interval")
    assert made.family == 1  # the baseline alone


def test_sizes_of_many_decades_do_not_lie_on_each_other(tmp_path: Path) -> None:
    found = ensembles.points(collect(_write(tmp_path, DISJOINT)))
    found = [replace(one, size=0.001 * 10**k) for k, one in enumerate(found)]
    (drawing,) = ensembles.figure(found, collect(tmp_path / "ofat-12345678").metric, [])
    drawn = drawing.make()
    drawn.canvas.draw()
    ticks = [one for one in drawn.axes[1].get_xticklabels() if one.get_text()]
    boxes = [one.get_window_extent() for one in ticks]
    assert len(ticks) > 2 and not any(a.overlaps(b) for a, b in pairwise(boxes))


def test_ensembles_of_one_are_their_row_and_widen_no_interval(tmp_path: Path) -> None:
    """They had intervals of their own, against the default an undecided one around 0."""
    plain = examples.write(tmp_path / "plain", examples.rows(6)[:3], seeds=6)
    ones = examples.write(tmp_path / "ones", examples.rows(6)[:3], seeds=6)
    derived.add(ones, 1)
    before, after = (comparisons(collect(folder)).simulated for folder in (plain, ones))
    assert before is not None and after is not None and after.family == before.family == 2
    assert after.rows[:3] == before.rows
    assert [row.seeds for row in after.rows[3:]] == [()] * 3
    build_report(ones)
    for line in _read(ones / "table.csv")[3:]:
        assert line["configuration"].startswith("ensemble of 1: ")
        assert (line["n_seeds"], line["difference"], line["verdict"]) == ("6", "", "")


def test_groups_share_seeds_only_if_one_is_in_two_of_them() -> None:
    assert of_differences({(0, 1): 1.0, (2, 3): 2.0}).deviation == pytest.approx(0.5**0.5)
    shared = of_differences({(0, 1): 1.0, (1, 2): 2.0})
    assert shared.overlap and shared.deviation != shared.deviation
    assert not of_differences({0: 1.0, 1: 2.0}).overlap


def test_without_ensembles_there_is_no_section(tmp_path: Path) -> None:
    folder = _write(tmp_path / "with", DISJOINT)
    build_report(folder)
    plain = examples.write(tmp_path / "without", examples.rows(6)[:2], seeds=6)
    assert ensembles.points(collect(plain)) == []
    build_report(plain)
    assert not list(plain.glob("**/ensembles*"))


def test_an_ensemble_whose_member_has_no_value_does_not_count(tmp_path: Path) -> None:
    table = examples.rows(4)[:2]
    table[1].statuses = ["ok", "failed", "ok", "ok"]
    folder = examples.write(tmp_path, table, seeds=4)
    derived.add(folder)
    found = {(point.row, point.members): point for point in ensembles.points(collect(folder))}
    assert list(found["default", 2].found) == [(2, 3)]
    assert list(found["baseline", 2].found) == [(0, 1), (2, 3)]
