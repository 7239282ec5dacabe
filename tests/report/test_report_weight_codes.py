"""The table of weights: shares of zeros, shifts and signs, and the rows that no other beats."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
import report_examples as examples
import report_grids as grids

from qbench.report.build import build_report
from qbench.report.collect import collect
from qbench.report.front import on_front
from qbench.report.pareto import pareto_figures
from qbench.report.weight_codes import codes_frame, has_codes
from qbench.storage import layout, records

# By row: megabytes, accuracies of two seeds, what its records count.
BITS = {"weights": 100, "coded": 80, "zero": 20, "uses": 1000}
ROWS: dict[str, tuple[float, tuple[float, float], dict[str, Any] | None]] = {
    "baseline": (0.4, (90.0, 92.0), None),
    "default": (0.1, (90.0, 91.0), BITS | {"used_as": {"multiplication": 750}}),
    "quant.op=fake_quant": (0.1, (80.0, 81.0), BITS | {"used_as": {"multiplication": 750}}),
    "quant.bits=4": (0.05, (85.0, 86.0), BITS | {"used_as": {"shift": 600, "multiplication": 250}}),
    "quant.placement=[conv,activation,add]": (
        0.2,
        (88.0, 90.0),
        {"weights": 9, "coded": 9, "zero": 0},
    ),
    "quant.range_given=true": (0.02, (70.0, 71.0), BITS | {"zero": 0, "used_as": {"sign": 1000}}),
    "quant.delay=0.4": (0.03, (60.0, 61.0), BITS | {"used_as": {"shift": 750}}),
}


# Bits that are read, for those rows whose records say them.
READ = {"baseline": 3200, "default": 800, "quant.bits=4": 400, "quant.delay=0.4": 400}


def written(tmp_path: Path, read: dict[str, int]) -> Path:
    """A made-up sweep whose records say what `ROWS` says, and these bits that are read."""
    found = examples.write(tmp_path, examples.rows(2), 2)
    for label, (size, values, facts) in ROWS.items():
        for record, value in zip(_records(found, label), values, strict=True):
            record["size"]["megabytes"] = size
            record["metrics"]["accuracy"] = value
            kernels = dict(facts or {})
            if label in read:
                nothing = {"weights": 100, "coded": 0, "zero": 0}
                kernels = nothing | kernels | {"read_bits": read[label]}
            record |= {"kernels": kernels} if kernels else {}
    return found


def _records(folder: Path, label: str) -> Iterator[dict[str, Any]]:
    """The record of each run of a row, which is written again with what has changed."""
    rows = json.loads((folder / layout.MANIFEST).read_bytes())["rows"]
    for run in next(row["runs"] for row in rows if row["label"] == label):
        place = layout.run_folder(folder.parent, run["id"])
        record = records.read_record(place)
        yield record
        files = {name: (place / name).read_bytes() for name in record["files"]}
        (place / layout.RECORD).write_bytes(records.as_json(records._sealed(record, files)))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A sweep of older records, which do not say the bits that are read."""
    return written(tmp_path, {})


def test_energy_and_its_front_are_of_rows_whose_records_say_the_bits(tmp_path: Path) -> None:
    folder = written(tmp_path, READ)
    frame = codes_frame(collect(folder)).set_index("configuration")
    # 640 pJ for 32 bits; the share against 32 bits for each of 100 weights.
    assert frame["energy_uj"].dropna().to_dict() == pytest.approx(
        {"baseline": 0.064, "default": 0.016, "quant.bits=4": 0.008, "quant.delay=0.4": 0.008}
    )
    assert frame["energy_saved_pct"].dropna().tolist() == [0, 75, 87.5, 87.5]
    assert frame.index[frame["energy_front"]].tolist() == ["baseline", "default", "quant.bits=4"]
    assert not build_report(folder).undrawn
    lines = (folder / "weight_codes.md").read_text().splitlines()
    ends = {one.split(" ")[1]: one for one in lines if one.startswith("| ")}
    assert ends["configuration"].endswith("| front | energy uJ | saved % | energy front |")
    assert ends["default"].endswith("| yes | 0.02 | 75.0 | yes |")
    assert ends["quant.range_given=true"].endswith("| yes | - | - | - |")
    drawn = (folder / "figures" / "pareto_energy.svg").read_text()
    assert "quant.delay=0.4" in drawn and "quant.range_given=true" not in drawn


def test_the_table_has_shares_sizes_and_the_front(folder: Path) -> None:
    frame = codes_frame(collect(folder)).set_index("configuration")
    assert frame["accuracy"].tolist() == [91, 90.5, 80.5, 85.5, 89, 70.5, 60.5]
    assert frame["smaller"].round(6).tolist() == [1, 4, 4, 8, 2, 20, 13.333333]
    shares = frame[["zero_pct", "shifts_pct", "signs_pct"]]
    assert shares.loc["quant.bits=4"].tolist() == [25, 60, 0]
    assert shares.loc["quant.range_given=true"].tolist() == [0, 0, 100]
    assert shares.loc["baseline"].isna().all()
    assert shares.loc["quant.placement=[conv,activation,add]"].isna().tolist() == [
        False,
        True,
        True,
    ]
    front = frame.index[frame["front"]].tolist()
    assert front == ["baseline", "default", "quant.bits=4", "quant.range_given=true"]


def test_a_network_is_smaller_than_its_own_float_row(tmp_path: Path) -> None:
    """One with half the values is not twice as small for the same bits."""
    folder = grids.write(tmp_path, {"model.convolutions": (8, 5), "quant.bits": (8, 4)})
    whole, half = {"values": 800_000}, {"values": 400_000}
    sizes = {
        "baseline": (whole, 3.2),
        "default": (whole, 0.8),
        "quant.bits=4": (whole, 0.4),
        "model.convolutions=5 quant.enabled=false": (half, 1.6),
        "model.convolutions=5": (half, 0.4),
        "model.convolutions=5 quant.bits=4": ({"values": 400_000, "float_values": 9}, 0.2),
    }
    for label, (values, megabytes) in sizes.items():
        for record in _records(folder, label):
            record["size"] |= values | {"megabytes": megabytes}
    smaller = codes_frame(collect(folder)).set_index("configuration")["smaller"]
    assert smaller.index.tolist() == list(sizes)
    assert smaller.tolist()[:5] == pytest.approx([1, 4, 8, 1, 4])
    assert smaller.isna().tolist()[5]  # no float network has this number of float values


def test_the_report_writes_it_with_a_figure(folder: Path) -> None:
    report = build_report(folder)
    assert not report.undrawn
    for name in ("weight_codes.csv", "weight_codes.md", "figures/pareto.png", "figures/pareto.svg"):
        assert (folder / name).stat().st_size
    assert not list(folder.rglob("pareto_energy*"))
    text = (folder / "weight_codes.md").read_text()
    assert "energy" not in text
    head = (
        "| configuration | accuracy % | difference | 95 % interval | verdict | size MB | smaller |"
    )
    assert head in text and "theoretical size" in text
    lines = [line for line in text.splitlines() if line.startswith("| quant.bits=4 ")]
    assert len(lines) == 1 and "85.50 ± 0.71" in lines[0]
    assert lines[0].endswith("| 0.05 | 8.0 x | 25.0 | 60.0 | 0.0 | yes |")
    drawn = (folder / "figures" / "pareto.svg").read_text()
    assert all(f"{number}  {label}" in drawn for number, label in enumerate(ROWS, 1))


def test_no_text_of_the_figure_lies_on_another(folder: Path) -> None:
    """Long names of rows make the legend wide; it lay below the title."""
    frame = codes_frame(collect(folder))
    frame["configuration"] += " quant.scheme.max_weight=4.0"
    (drawing,) = pareto_figures(frame, collect(folder).metric, [])
    figure = drawing.make()
    figure.canvas.draw()
    ticks = [one for one in figure.axes[0].get_xticklabels() if one.get_text()]
    texts = [figure._suptitle, figure.legends[0], *ticks]
    boxes = [one.get_window_extent() for one in texts]
    pairs = [(a, b) for a, b in combinations(boxes, 2) if a.overlaps(b)]
    assert len(ticks) > 2 and pairs == []


def test_rows_of_zeros_are_named_beside_the_table(folder: Path) -> None:
    """In the notes of every form, with the kernels of all seeds, of which three are named."""
    each = (["a/kernel", "b/kernel"], ["b/kernel", "c/kernel", "d/kernel"])
    for record, mostly in zip(_records(folder, "quant.delay=0.4"), each, strict=True):
        record["kernels"]["mostly_zero"] = mostly
    said = (
        "quant.delay=0.4: nine of ten weights or more are 0 in a/kernel, b/kernel, c/kernel and 1"
        " more (in 2 of 2 runs)."
    )
    text = build_report(folder).text
    assert said in text.splitlines()
    assert f"- {said}" in (folder / layout.TABLE_MARKDOWN).read_text().splitlines()
    assert said in (folder / layout.PAGE).read_text()


def test_a_figure_of_many_rows_names_the_front_alone(monkeypatch: Any, folder: Path) -> None:
    monkeypatch.setattr("qbench.report.pareto._MANY", len(ROWS) - 1)
    build_report(folder)
    drawn = (folder / "figures" / "pareto.svg").read_text()
    shown = [label for number, label in enumerate(ROWS, 1) if f"{number}  {label}" in drawn]
    assert shown == ["baseline", "default", "quant.bits=4", "quant.range_given=true"]


def test_a_sweep_of_multiplications_alone_has_no_such_table(tmp_path: Path) -> None:
    found = examples.write(tmp_path, examples.rows(1), 1)
    assert not has_codes(collect(found))
    build_report(found)
    assert not list(found.rglob("weight_codes*")) and not list(found.rglob("pareto*"))


def test_which_points_no_other_beats() -> None:
    assert on_front([1, 2, 3], [5, 5, 6]) == [True, False, True]
    assert on_front([1, 1, 2], [5, 5, 4]) == [True, True, False]
    assert on_front([2, 1], [3, 4]) == [False, True]
    assert on_front([], []) == []
    assert on_front([1, float("nan"), 2], [5, 6, 5]) == [True, False, False]


def test_means_of_the_same_sum_are_equally_good() -> None:
    larger, smaller = sum([78.43, 78.99, 77.86]) / 3, sum([78.31, 78.95, 78.02]) / 3
    assert larger > smaller, "their doubles differ, or this test shows nothing"
    assert on_front([4, 1], [larger, smaller]) == [False, True]
    assert on_front([0.1 + 0.2, 0.3], [5, 6]) == [False, True]
