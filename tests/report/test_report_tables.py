"""runs.csv, table.csv and table.md of a made-up sweep."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import report_examples as examples

from qbench.base.errors import QbenchError
from qbench.report.build import build_report
from qbench.report.collect import worst
from qbench.report.tables import cell

COMPARED = [f"difference{end}" for end in ("", "_std", "_low", "_high")] + ["verdict"]
HEAD = ["accuracy", "recall_at_5", *COMPARED, "quantized", *examples.COLUMNS, "size_mb"]
HEAD += ["recall_macro", "precision_macro", "loss", "status", "n_seeds"]
STD = [f"{name}_std" for name in examples.METRICS]


def _read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def _table(folder: Path) -> list[dict[str, str]]:
    return _read(folder / "table.csv")


@pytest.fixture(scope="module")
def single(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished sweep with one seed and its report."""
    folder = examples.write(tmp_path_factory.mktemp("single"), examples.rows())
    build_report(folder)
    return folder


@pytest.fixture(scope="module")
def several(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three seeds; one run of the default failed, one of the third row has left nothing."""
    table = examples.rows(3)
    table[1].statuses = ["ok", "failed", "ok"]
    table[2].statuses = ["ok", "ok", None]
    table[3].statuses = ["diverged", "ok", None]
    table[4].statuses = ["failed"] * 3
    folder = examples.write(tmp_path_factory.mktemp("several"), table, seeds=3)
    build_report(folder)
    return folder


def test_columns_of_the_table(single: Path, several: Path) -> None:
    assert list(_table(single)[0]) == [*HEAD, "configuration"]
    assert list(_table(several)[0]) == [*HEAD, *STD, "configuration"]


def test_a_single_seed_is_shown_as_it_is(single: Path) -> None:
    table = _table(single)
    assert [row["configuration"] for row in table] == [row.label for row in examples.rows()]
    for number, (line, row) in enumerate(zip(table, examples.rows(), strict=True)):
        for name, value in examples.metrics(number, 0).items():
            assert float(line[name]) == pytest.approx(value, abs=1e-6)
        assert {name: line[name] for name in examples.COLUMNS} == row.factors
        assert line["quantized"] == ("no" if number == 0 else "yes")
        assert (line["status"], line["n_seeds"], line["size_mb"]) == ("ok", "1", "0.079")


def test_runs_hold_one_line_each(several: Path) -> None:
    lines = _read(several / "runs.csv")
    assert list(lines[0]) == [
        *("configuration", "seed", "run", "status"),
        *(*examples.METRICS, "size_mb", "quantized", *examples.COLUMNS),
        *("steps_float", "steps_quantized", "seconds", "error"),
    ]
    found = [(line["configuration"], int(line["seed"]), line["run"]) for line in lines]
    labels = [row.label for row in examples.rows()]
    assert found == [
        (label, seed, examples.run_id(number, seed))
        for number, label in enumerate(labels)
        for seed in range(3)
    ]
    assert [line["status"] for line in lines[3:12]] == [
        *("ok", "failed", "ok", "ok", "ok", "missing", "diverged", "ok", "missing")
    ]
    good = lines[0]
    assert float(good["accuracy"]) == pytest.approx(examples.metrics(0, 0)["accuracy"], abs=1e-6)
    assert [float(good[key]) for key in ("steps_float", "steps_quantized", "seconds")] == [
        *(40, 10, 3.75)
    ]
    assert (good["error"], lines[4]["accuracy"]) == ("", "")
    assert lines[4]["error"] == "what went wrong & <why> in default"


@pytest.mark.parametrize(
    ("number", "seeds"), [(0, [0, 1, 2]), (1, [0, 2]), (2, [0, 1]), (3, [1]), (4, [])]
)
def test_means_and_spreads_over_the_seeds_that_have_figures(
    several: Path, number: int, seeds: list[int]
) -> None:
    line = _table(several)[number]
    assert line["n_seeds"] == str(len(seeds))
    for name in examples.METRICS:
        values = [examples.metrics(number, seed)[name] for seed in seeds]
        if not values:
            assert (line[name], line[f"{name}_std"]) == ("", "")
            continue
        assert float(line[name]) == pytest.approx(np.mean(values), abs=1e-6)
        if len(values) == 1:
            assert line[f"{name}_std"] == ""
        else:
            assert float(line[f"{name}_std"]) == pytest.approx(np.std(values, ddof=1), abs=1e-6)


def test_the_status_of_a_row_is_its_worst(several: Path) -> None:
    found = [line["status"] for line in _table(several)]
    assert found == ["ok", "failed", "missing", "diverged", "failed", "ok", "ok"]


@pytest.mark.parametrize(
    ("statuses", "expected"),
    [
        (["ok", "ok"], "ok"),
        (["ok", "missing"], "missing"),
        (["missing", "diverged", "ok"], "diverged"),
        (["diverged", "failed", "missing"], "failed"),
        (["not_applicable"], "not_applicable"),
    ],
)
def test_worst(statuses: list[str], expected: str) -> None:
    assert worst(statuses) == expected


@pytest.fixture
def odd(tmp_path: Path) -> Path:
    """A sweep whose rows are: finished, failed, diverged, missing, not applicable."""
    table = examples.rows()[:5]
    table[1].statuses, table[2].statuses, table[3].statuses = ["failed"], ["diverged"], [None]
    table[4].reason = "quant.placement=[add]: no such thing."
    return examples.write(tmp_path, table)


def test_rows_without_figures_are_kept_and_explained(odd: Path) -> None:
    shown = build_report(odd).text
    statuses = ["ok", "failed", "diverged", "missing", "not_applicable"]
    assert [line["status"] for line in _table(odd)] == statuses
    assert [line["accuracy"] != "" for line in _table(odd)] == [True] + [False] * 4
    runs = _read(odd / "runs.csv")
    assert [line["status"] for line in runs] == statuses
    assert (runs[4]["run"], runs[4]["seed"]) == ("", "")
    assert runs[4]["error"] == "quant.placement=[add]: no such thing."
    for text in (shown, (odd / "table.md").read_text()):
        assert "default, seed 0: failed. what went wrong" in text
        assert "quant.op=fake_quant, seed 0: diverged. what went wrong" in text
        assert "not applicable. quant.placement=[add]: no such thing." in text


def test_a_missing_run_is_explained_too(odd: Path) -> None:
    """As every row that has no figures."""
    build_report(odd)
    text = (odd / "table.md").read_text().split("\n\n")[-1]
    assert "quant.bits=4, seed 0: missing" in text


@pytest.mark.parametrize("status", ["failed", "diverged", None])
def test_a_sweep_without_any_figures(tmp_path: Path, status: str | None) -> None:
    table = examples.rows()
    for row in table:
        row.statuses = [status]
    folder = examples.write(tmp_path, table)
    build_report(folder)
    assert {line["status"] for line in _table(folder)} == {status or "missing"}
    assert {line["n_seeds"] for line in _table(folder)} == {"0"}
    assert [*folder.rglob("*.png"), *folder.rglob("*.svg")] == []


def test_markdown_has_a_dash_where_nothing_applies(odd: Path) -> None:
    build_report(odd)
    head, *body = examples.cells((odd / "table.md").read_text())
    assert len({len(line) for line in (head, *body)}) == 1
    by_name = [dict(zip(head, line, strict=True)) for line in body]
    factors = ["op", "rounding", "bits", "range given", "delay %"]
    assert [by_name[0][name] for name in factors] == ["-"] * 5
    assert [by_name[2][name] for name in factors] == ["FakeQuant", "-", "8", "no", "80"]
    assert by_name[0]["accuracy %"] == f"{examples.metrics(0, 0)['accuracy']:.2f}"
    for line in by_name[1:]:
        assert [line[name] for name in ("accuracy %", "loss", "size MB")] == ["-"] * 3
    assert not any(text in ("", "nan", "None") for line in body for text in line)


def test_markdown_shows_spreads(several: Path) -> None:
    head, *body = examples.cells((several / "table.md").read_text())
    accuracy = [line[head.index("accuracy %")] for line in body]
    values = [examples.metrics(0, seed)["accuracy"] for seed in range(3)]
    assert accuracy[0] == f"{np.mean(values):.2f} ± {np.std(values, ddof=1):.2f}"
    assert accuracy[3] == f"{examples.metrics(3, 1)['accuracy']:.2f}"
    assert accuracy[4] == "-"
    assert not any("std" in name or "low" in name for name in head)


CELLS: list[tuple[str, Any, int | None, str]] = [
    ("accuracy", 91.145, 2, "91.14"),
    ("loss", 0.123456, None, "0.1235"),
    ("size_mb", 23.501962, None, "23.50"),
    ("size_mb", 0.0786, None, "0.0786"),
    ("op", "", None, "-"),
    ("op", None, None, "-"),
    ("accuracy", float("nan"), 2, "-"),
    ("n_seeds", 3, None, "3"),
]


@pytest.mark.parametrize(("column", "value", "digits", "text"), CELLS)
def test_cell(column: str, value: Any, digits: int | None, text: str) -> None:
    assert cell(column, value, digits) == text


def test_the_terminal_shows_every_row(single: Path) -> None:
    *lines, one_seed, note = build_report(single).text.splitlines()
    assert one_seed.startswith("One seed gives no interval")
    assert note.startswith("Note on ")
    assert examples.NOTE in note
    assert lines[0].split()[0] == "configuration"
    assert [line.split()[0] for line in lines[1:]] == [row.label for row in examples.rows()]
    assert all(line.endswith("ok") for line in lines[1:])


def test_runs_beside_the_manifest(tmp_path: Path) -> None:
    """As with out=...: the sweep's folder is the root of its runs."""
    import json

    folder = examples.write(tmp_path, examples.rows()[:2])
    manifest = json.loads((folder / "manifest.json").read_text()) | {"runs": "runs"}
    (folder / "manifest.json").unlink()
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    build_report(tmp_path)
    assert [line["status"] for line in _table(tmp_path)] == ["ok", "ok"]


def test_a_damaged_record_is_named_and_counts_as_missing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = examples.write(tmp_path, examples.rows())
    path = tmp_path / "runs" / examples.run_id(1, 0) / "record.json"
    path.write_text("{")
    build_report(folder)
    said = capsys.readouterr().err
    assert str(path.name) in said
    assert examples.run_id(1, 0) in said
    statuses = [line["status"] for line in _table(folder)]
    assert statuses[1] == "missing"
    assert set(statuses[:1] + statuses[2:]) == {"ok"}
    assert _table(folder)[1]["accuracy"] == ""


def test_a_folder_without_a_sweep(tmp_path: Path) -> None:
    with pytest.raises(QbenchError, match="expected the manifest of a sweep"):
        build_report(tmp_path)


def test_tables_can_be_read_with_pandas(single: Path) -> None:
    frame = pd.read_csv(single / "table.csv")
    assert frame["accuracy"].dtype == np.float64
    assert len(frame) == 7
