"""Derived rows in tables, differences, figures and notes; without them nothing changes."""

from __future__ import annotations

import csv
import html
import shutil
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import pytest
import report_conversions as conversions
import report_derived as derived
import report_examples as examples
import report_grids as grids

from qbench.planning.draws import ROTATED
from qbench.planning.factors import FACTORS
from qbench.report.bits_grid import bits_grids, heading
from qbench.report.build import build_report
from qbench.report.collect import collect, runs_frame
from qbench.report.deployed import deployed_figure
from qbench.report.differences import as_lines, differences, has_networks
from qbench.report.figures import _curves, loss_figures
from qbench.report.reference import reference

RESULTS = Path(__file__).parents[2] / "results" / "digits"
DELAY = next(factor for factor in FACTORS if factor.key == "quant.delay")


def _read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def two(tmp_path: Path) -> Path:
    """Baseline and default with two seeds, and as an ensemble of both."""
    folder = examples.write(tmp_path, examples.rows(2)[:2], seeds=2)
    derived.add(folder)
    return folder


@pytest.fixture
def five(tmp_path: Path) -> Path:
    """All rows with five seeds, and as two ensembles of two."""
    folder = examples.write(tmp_path, examples.rows(5), seeds=5)
    derived.add(folder)
    return folder


def test_the_tables_of_committed_results_stay_byte_for_byte(tmp_path: Path) -> None:
    copy = tmp_path / "digits"
    shutil.copytree(RESULTS, copy)
    names = ["runs.csv", "table.csv", "table.md", "manifest.json"]
    for name in names[:3]:
        (copy / name).unlink()
    build_report(copy)
    for name in names:
        assert (copy / name).read_bytes() == (RESULTS / name).read_bytes()


def test_a_derived_row_has_the_factors_of_its_row_and_figures_of_its_own(five: Path) -> None:
    build_report(five)
    table = {line["configuration"]: line for line in _read(five / "table.csv")}
    labels = [row.label for row in examples.rows()]
    assert list(table) == [*labels, *(f"ensemble of 2: {label}" for label in labels)]
    line, single = table["ensemble of 2: quant.bits=4"], table["quant.bits=4"]
    values = [derived.accuracy(labels.index("quant.bits=4"), group) for group in (0, 1)]
    assert float(line["accuracy"]) == pytest.approx(fmean(values), abs=1e-6)
    assert float(line["accuracy_std"]) == pytest.approx(stdev(values), abs=1e-6)
    assert (line["n_seeds"], single["n_seeds"]) == ("2", "5")
    same = [*examples.COLUMNS, "quantized"]
    assert [line[key] for key in same] == [single[key] for key in same]


def test_runs_name_their_members_only_where_there_are_derived_rows(
    two: Path, tmp_path: Path
) -> None:
    build_report(two)
    *_, last = _read(two / "runs.csv")
    members = [examples.run_id(1, seed) for seed in (0, 1)]
    assert (last["seed"], last["members"]) == ("", " ".join(members))
    assert _read(two / "runs.csv")[0]["members"] == ""
    plain = examples.write(tmp_path / "plain", examples.rows()[:2])
    build_report(plain)
    assert "members" not in _read(plain / "runs.csv")[0]


def test_the_note_says_what_an_ensemble_is_and_only_then(two: Path, tmp_path: Path) -> None:
    build_report(two)
    plain = examples.write(tmp_path / "plain", examples.rows()[:2])
    build_report(plain)
    for name in ("table.md", "report.html"):
        assert "means over disjoint ensembles" in html.unescape((two / name).read_text())
        assert "ensemble" not in (plain / name).read_text()


def test_one_without_a_result_is_named_by_the_seeds_of_its_members(tmp_path: Path) -> None:
    folder = examples.write(tmp_path, examples.rows(2)[:2], seeds=2)
    derived.add(folder, label="default", status="failed")
    text = build_report(folder).text
    assert "! ensemble of 2: default, seeds 0, 1: failed. what went wrong" in text
    assert _read(folder / "table.csv")[-1]["status"] == "failed"
    shutil.rmtree(tmp_path / "runs" / examples.run_id(derived.FIRST + 1, 0))
    assert "! ensemble of 2: default, seeds 0, 1: missing. It has" in build_report(folder).text


def test_loss_figures_have_no_curve_of_theirs(five: Path, tmp_path: Path) -> None:
    plain = examples.write(tmp_path / "plain", examples.rows(5), seeds=5)
    found, expected = collect(five), collect(plain)
    assert len(loss_figures(found)) == len(loss_figures(expected)) == 4
    assert [label for label, _ in _curves(found, DELAY)] == [
        label for label, _ in _curves(expected, DELAY)
    ]


def test_columns_of_files_are_empty_and_the_reference_stays(tmp_path: Path) -> None:
    folder = examples.write(tmp_path, examples.rows(2)[:2], seeds=2)
    for seed in (0, 1):
        conversions.put(folder, 0, seed, conversions.report(), conversions.REPRESENTATIVE)
        conversions.add(folder, 1, seed)
    before = reference(collect(folder))
    derived.add(folder)
    sweep = collect(folder)
    assert reference(sweep) == before
    assert "the float baseline (int8" in before[0]
    (figure,) = deployed_figure(runs_frame(sweep), sweep.metric, [])
    assert figure.title == "Accuracy in simulation and of the converted file"
    build_report(folder)
    line = _read(folder / "table.csv")[-1]
    assert (line["configuration"], line["n_deployed"]) == ("ensemble of 2: default", "0")
    columns = ["deployed_accuracy", "agreement", "packed_mb", "tflite_mb", "export", "export_note"]
    assert {line[key] for key in columns} == {""}


def _single(label: str, levels: grids.Levels, seeds: Any) -> float:
    return fmean(grids.accuracy(label, levels, seed) for seed in seeds)


def test_differences_are_to_the_single_float_runs_of_the_members_seeds(tmp_path: Path) -> None:
    folder = grids.write(tmp_path, grids.DEPTHS, seeds=4)
    derived.add(folder)
    sweep = collect(folder)
    frame = differences(sweep)
    assert list(frame["derived"]) == ["", "", "ensemble of 2", "ensemble of 2"]
    assert list(frame["model.depth"]) == ["8", "20", "8", "20"]
    assert list(frame["n_seeds"]) == [4, 4, 2, 2]
    apart = [
        derived.accuracy(1, group) - _single("baseline", grids.DEPTHS, seeds)
        for group, seeds in enumerate([(0, 1), (2, 3)])
    ]
    assert frame.loc[2, "difference"] == pytest.approx(fmean(apart))
    assert frame.loc[2, "difference_std"] == pytest.approx(stdev(apart))
    assert as_lines(frame, sweep.metric)[0][:2] == ["derived", "model.depth"]
    assert has_networks(sweep)


def test_ensembles_of_one_have_no_line_among_the_differences(tmp_path: Path) -> None:
    folder = grids.write(tmp_path, grids.DEPTHS, seeds=3)
    before = differences(collect(folder))
    derived.add(folder, 1)
    after = differences(collect(folder))
    assert after["derived"].tolist() == [""] * len(before)
    assert after["interval"].tolist() == before["interval"].tolist()


def test_groups_that_share_seeds_give_no_interval(tmp_path: Path) -> None:
    folder = grids.write(tmp_path, grids.DEPTHS, seeds=4)
    derived.add(folder, draws=ROTATED)
    frame = differences(collect(folder))
    assert list(frame["verdict"].isin(["no interval"])) == [False, False, True, True]
    assert list(frame["n_seeds"]) == [4, 4, 4, 4]


def test_without_one_of_the_float_runs_there_is_no_difference(tmp_path: Path) -> None:
    statuses: dict[str, list[str | None]] = {"baseline": ["ok", "failed", "ok", "ok"]}
    folder = grids.write(tmp_path, grids.DEPTHS, seeds=4, statuses=statuses)
    derived.add(folder)
    frame = differences(collect(folder))
    assert list(frame["n_seeds"]) == [3, 4, 1, 2]


def test_one_network_stays_one_with_an_ensemble_of_its_baseline(two: Path) -> None:
    assert not has_networks(collect(two))


def test_ensembles_have_a_matrix_of_their_own(tmp_path: Path) -> None:
    folder = grids.write(tmp_path, grids.GRID, seeds=2)
    (before,) = bits_grids(collect(folder))
    derived.add(folder)
    single, ensembles = bits_grids(collect(folder))
    assert single.values.equals(before.values)
    assert (single.name, ensembles.name) == ("", "ensemble of 2")
    assert heading(ensembles).startswith("ensemble of 2, float accuracy ")
    labels = [row.label for row in grids.planned(grids.GRID)]
    label = grids.label_of(weight_bits=4, activation_bits=6)
    expected = derived.accuracy(labels.index(label)) - _single("baseline", grids.GRID, (0, 1))
    assert ensembles.values.loc["4", "6"] == pytest.approx(expected)
    build_report(folder)
    assert (folder / "figures" / "bits_grid.svg").is_file()
    assert len(_read(folder / "bits_grid.csv")) == 4
