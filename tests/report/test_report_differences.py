"""Differences to float accuracy: of several networks, and as a matrix of two widths."""

from __future__ import annotations

import csv
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import report_grids as grids

from qbench.report import extras, texts
from qbench.report.bits_grid import as_lines as matrix_as_lines
from qbench.report.bits_grid import bits_grids
from qbench.report.build import build_report
from qbench.report.collect import Sweep
from qbench.report.differences import as_lines, differences, has_networks
from qbench.report.section import Section
from qbench.report.values import difference
from qbench.tasks.classification import Classification

ACCURACY = Classification(10).metrics[0]


def _expected(label: str, levels: grids.Levels, float_label: str = "baseline") -> float:
    return grids.accuracy(label, levels) - grids.accuracy(float_label, levels)


def test_every_network_is_compared_with_its_own_float_row(tmp_path: Path) -> None:
    frame = differences(grids.sweep(tmp_path, grids.ACTIVATIONS))
    keys = ["model.activation", "quant.bits"]
    assert list(frame.columns[:2]) == keys
    assert frame[keys].to_numpy().tolist() == [
        ["relu6", "8"],
        ["relu6", "7"],
        ["relu", "8"],
        ["relu", "7"],
    ]
    relu = "model.activation=relu quant.enabled=false"
    expected = [
        _expected("default", grids.ACTIVATIONS),
        _expected("quant.bits=7", grids.ACTIVATIONS),
        _expected("model.activation=relu", grids.ACTIVATIONS, relu),
        _expected("quant.bits=7 model.activation=relu", grids.ACTIVATIONS, relu),
    ]
    np.testing.assert_allclose(frame["difference"], expected)
    np.testing.assert_allclose(frame["accuracy"] - frame["float_accuracy"], expected)
    assert frame["difference_std"].isna().all()
    assert set(frame["n_seeds"]) == {1}
    assert set(frame["size_mb"]) == {0.079}


def test_seeds_are_compared_in_pairs(tmp_path: Path) -> None:
    """The second seed has no float run and the third no quantized one, so neither counts."""
    statuses = {"baseline": ["ok", "failed", "ok", "ok"], "default": ["ok", "ok", None, "ok"]}
    frame = differences(grids.sweep(tmp_path, grids.DEPTHS, seeds=4, statuses=statuses))
    found = [
        grids.accuracy("default", grids.DEPTHS, seed)
        - grids.accuracy("baseline", grids.DEPTHS, seed)
        for seed in (0, 3)
    ]
    line = frame.loc[0]
    assert (line["model.depth"], line["n_seeds"]) == ("8", 2)
    assert line["difference"] == pytest.approx(np.mean(found))
    assert line["difference_std"] == pytest.approx(np.std(found, ddof=1))
    assert frame.loc[1, "n_seeds"] == 4


def test_without_a_float_row_or_figures_there_is_no_difference(tmp_path: Path) -> None:
    statuses: dict[str, list[str | None]] = {"default": ["diverged"]}
    one = grids.sweep(tmp_path / "one", grids.DEPTHS, statuses=statuses)
    assert differences(one)["difference"].isna().tolist() == [True, False]
    other = grids.sweep(tmp_path / "other", grids.DEPTHS, baseline=True)
    assert differences(other)["difference"].isna().tolist() == [False, True]
    assert (has_networks(one), has_networks(other)) == (True, False)


def test_differences_as_texts(tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {
            "model.depth": ["8", "20"],
            "quant.bits": ["8", "8"],
            "float_accuracy": [98.5, np.nan],
            "accuracy": [98.0, np.nan],
            "difference": [-0.5, np.nan],
            "difference_std": [0.125, np.nan],
            "difference_low": [-1.62, np.nan],
            "difference_high": [0.62, np.nan],
            "interval": ["[-1.62, 0.62]", ""],
            "verdict": ["undecided", None],
            "size_mb": [0.0774, np.nan],
            "n_seeds": [2, 0],
        }
    )
    assert as_lines(frame, ACCURACY) == [
        [
            *("model.depth", "float %", "quantized %", "difference", "95 % interval", "verdict"),
            "size MB",
        ],
        ["8", "98.50", "98.00", "-0.50 ± 0.12", "[-1.62, 0.62]", "undecided", "0.0774"],
        ["20", "-", "-", "-", "-", "-", "-"],
    ]


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "0.00"), (-0.001, "0.00"), (0.17, "+0.17"), (-14.0, "-14.00"), (float("nan"), "-")],
)
def test_a_difference_as_text(value: float, text: str) -> None:
    assert difference(ACCURACY, value) == text


def test_a_matrix_has_weights_as_lines_and_activations_as_columns(tmp_path: Path) -> None:
    (grid,) = bits_grids(grids.sweep(tmp_path, grids.GRID))
    assert (list(grid.values.index), list(grid.values.columns)) == (["8", "4"], ["8", "6", "4"])
    for weights, activations in grids.CELLS:
        label = grids.label_of(weight_bits=weights, activation_bits=activations)
        found = grid.values.loc[str(weights), str(activations)]
        assert found == pytest.approx(_expected(label, grids.GRID))
    assert grid.of_float == pytest.approx(grids.accuracy("baseline", grids.GRID))
    assert grid.name == ""


def test_a_matrix_is_of_means_over_seeds(tmp_path: Path) -> None:
    (grid,) = bits_grids(grids.sweep(tmp_path, grids.GRID, seeds=3))
    label = grids.label_of(weight_bits=4, activation_bits=6)
    expected = np.mean(
        [
            grids.accuracy(label, grids.GRID, seed) - grids.accuracy("baseline", grids.GRID, seed)
            for seed in range(3)
        ]
    )
    assert grid.values.loc["4", "6"] == pytest.approx(expected)


def test_a_matrix_of_several_seeds_has_intervals(tmp_path: Path) -> None:
    sweep = grids.sweep(tmp_path, grids.GRID, seeds=3)
    frame, (grid,) = differences(sweep), bits_grids(sweep)
    head, *lines = matrix_as_lines(grid)
    assert head[1:] == ["8", "6", "4"]
    shown = [text for line in lines for text in line[1:]]
    assert shown == [
        f"{difference(ACCURACY, line['difference'])} {line['interval']}"
        for _, line in frame.iterrows()
    ]
    assert all(re.fullmatch(r"\S+ \[-?\d+\.\d\d, -?\d+\.\d\d\]", text) for text in shown)
    section = extras.EXTRAS["bits_grid"](sweep)
    assert section and "hold for all 6 of them with 95 % probability" in section[0].explained


def test_there_is_a_matrix_for_each_network(tmp_path: Path) -> None:
    found = bits_grids(grids.sweep(tmp_path, grids.TWO_GRIDS))
    assert [grid.name for grid in found] == ["model.depth=8", "model.depth=20"]
    label = "quant.weight_bits=4 quant.activation_bits=8 model.depth=20"
    label = label.replace(" quant.activation_bits=8", "")  # the default
    floats = "model.depth=20 quant.enabled=false"
    expected = _expected(label, grids.TWO_GRIDS, floats)
    assert found[1].values.loc["4", "8"] == pytest.approx(expected)
    assert found[1].of_float == pytest.approx(grids.accuracy(floats, grids.TWO_GRIDS))


@pytest.mark.parametrize(
    ("levels", "leave_out"),
    [
        (grids.DEPTHS, ()),
        (grids.ACTIVATIONS, ()),
        ({"quant.weight_bits": (8, 4)}, ()),
        (grids.GRID, (grids.label_of(weight_bits=4, activation_bits=6),)),  # as one at a time
    ],
    ids=["depths", "activations", "one width", "not crossed"],
)
def test_other_designs_have_no_matrix(
    tmp_path: Path, levels: grids.Levels, leave_out: tuple[str, ...]
) -> None:
    assert bits_grids(grids.sweep(tmp_path, levels, leave_out=leave_out)) == []


def test_a_run_without_figures_is_a_gap_in_the_matrix(tmp_path: Path) -> None:
    label = grids.label_of(weight_bits=4, activation_bits=6)
    folder = grids.write(tmp_path, grids.GRID, statuses={label: ["failed"]})
    shown = build_report(folder).text
    assert re.search(r"^4 +[-+]\d+\.\d\d +- +[-+]\d+\.\d\d$", shown, re.MULTILINE)
    with (folder / "bits_grid.csv").open(newline="") as file:
        table = list(csv.reader(file))
    assert table[0] == ["weight_bits", "8", "6", "4"]
    assert (table[2][0], table[2][2]) == ("4", "")


def test_a_grid_comes_as_csv_markdown_figure_and_section(tmp_path: Path) -> None:
    folder = grids.write(tmp_path, grids.GRID)
    shown = build_report(folder).text
    with (folder / "bits_grid.csv").open(newline="") as file:
        table = list(csv.DictReader(file))
    label = grids.label_of(weight_bits=4, activation_bits=6)
    expected = _expected(label, grids.GRID)
    assert float(table[1]["6"]) == pytest.approx(expected, abs=1e-6)
    for text in (shown, (folder / "bits_grid.md").read_text(), _page(folder)):
        assert "Difference to float accuracy by bits of weights and activations" in text
        assert f"float accuracy {grids.accuracy('baseline', grids.GRID):.2f} %" in text
        assert difference(ACCURACY, expected) in text
    png, svg = ((folder / "figures" / f"bits_grid.{kind}").read_bytes() for kind in ("png", "svg"))
    assert png.startswith(b"\x89PNG")
    assert difference(ACCURACY, expected) in svg.decode()
    assert "bits of weights" in svg.decode()
    assert _page(folder).count("<figure") == 2  # and its interaction plot
    assert not (folder / "differences.csv").exists()


def test_networks_come_as_csv_markdown_and_section(tmp_path: Path) -> None:
    folder = grids.write(tmp_path, grids.DEPTHS)
    shown = build_report(folder).text
    with (folder / "differences.csv").open(newline="") as file:
        table = list(csv.DictReader(file))
    assert [line["model.depth"] for line in table] == ["8", "20"]
    floats = "model.depth=20 quant.enabled=false"
    expected = _expected("model.depth=20", grids.DEPTHS, floats)
    assert float(table[1]["difference"]) == pytest.approx(expected, abs=1e-6)
    for text in (shown, (folder / "differences.md").read_text(), _page(folder)):
        assert "Quantized against float accuracy" in text
        assert "model.depth" in text
        assert difference(ACCURACY, expected) in text
    assert not (folder / "bits_grid.csv").exists()
    assert not list(folder.rglob("bits_grid.*"))


def test_what_another_design_left_is_removed(tmp_path: Path) -> None:
    folder = grids.write(tmp_path, grids.DEPTHS)
    stale = [
        *("bits_grid.csv", "bits_grid.md", "figures/bits_grid.png", "figures/bits_grid.svg"),
    ]
    (folder / "figures").mkdir()
    for name in stale:
        (folder / name).write_text("old")
    build_report(folder)
    assert not any((folder / name).exists() for name in stale)


@pytest.mark.parametrize("levels", [grids.TWO_GRIDS, grids.ACTIVATIONS], ids=["grids", "networks"])
def test_the_same_records_give_the_same_bytes(tmp_path: Path, levels: grids.Levels) -> None:
    def built(root: Path) -> dict[str, bytes]:
        folder = grids.write(root, levels)
        build_report(folder)
        paths = [path for path in folder.rglob("*") if path.is_file()]
        return {str(path.relative_to(folder)): path.read_bytes() for path in paths}

    one, two = built(tmp_path / "one"), built(tmp_path / "two")
    assert one == two
    assert "differences.csv" in one
    assert ("figures/bits_grid.svg" in one) is (levels is grids.TWO_GRIDS)


LINES = [["weights", "8", "<4>"], ["8", "+0.10", "-10.00"]]


def test_lines_as_text_and_markdown() -> None:
    assert texts.aligned(LINES) == "weights      8     <4>\n8        +0.10  -10.00"
    assert texts.markdown(LINES).splitlines()[1] == "| --- | --: | --: |"


def _page(folder: Path) -> str:
    text: str = (folder / "report.html").read_text()
    return text


def test_the_example_has_the_rows_that_a_plan_has() -> None:
    labels: list[Any] = [row.label for row in grids.planned(grids.DEPTHS)]
    assert labels == [
        "baseline",
        "default",
        "model.depth=20 quant.enabled=false",
        "model.depth=20",
    ]


def test_a_section_is_added_in_one_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def toy(sweep: Sweep) -> tuple[Section, pd.DataFrame] | None:
        if not has_networks(sweep):
            return None
        lines = [("", [["toy", "rows"], ["x", str(len(sweep.trained))]])]
        return Section("A toy", "It counts.", lines), pd.DataFrame({"rows": [7]})

    monkeypatch.setitem(extras.EXTRAS, "toy", toy)
    folder = grids.write(tmp_path, grids.DEPTHS)
    shown = build_report(folder).text
    for text in (shown, (folder / "toy.md").read_text(), _page(folder)):
        assert "A toy" in text
    assert (folder / "toy.csv").read_text().splitlines() == ["rows", "7"]
    assert (folder / "differences.csv").exists()
    monkeypatch.setitem(extras.EXTRAS, "toy", lambda sweep: None)
    build_report(folder)
    assert not list(folder.glob("toy.*"))
