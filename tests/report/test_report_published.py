"""The numbers of a paper beside those of a sweep that repeats its rows."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pandas as pd
import pytest
import report_examples as examples
import report_tasks as tasks

from qbench.planning.published import PUBLISHED, Published
from qbench.report.build import build_report
from qbench.report.collect import collect
from qbench.report.extras import EXTRAS
from qbench.report.published import as_lines, published_frame, shared_metrics
from qbench.storage import layout, records

PAPER = PUBLISHED["kwasniewska2019"]
RESULTS = Path(__file__).parents[2] / "results"


def _repeating(root: Path, table: list[examples.Row], seeds: int = 1) -> Path:
    folder = examples.write(root, table, seeds)
    manifest = json.loads((folder / layout.MANIFEST).read_bytes()) | {"repeats": PAPER.name}
    records.write_atomically(folder / layout.MANIFEST, records.as_json(manifest))
    return folder


def test_the_sixteen_rows_of_the_benchmark_are_those_of_the_paper() -> None:
    """Each line once: the rows of the committed digits have the settings of every line."""
    rows = json.loads((RESULTS / "digits" / layout.MANIFEST).read_bytes())["rows"]
    found = [PAPER.line(row["changes"], row["quantized"], row["factors"]) for row in rows]
    assert sorted(map(PAPER.lines.index, filter(None, found))) == list(range(16))
    numbers = {row["label"]: line for row, line in zip(rows, found, strict=True) if line}
    assert numbers["baseline"]["accuracy"] == "91.14"
    assert numbers["default"]["accuracy"] == "89.69"
    assert numbers["quant.op=fake_quant"]["accuracy"] == "86.27"
    assert numbers["quant.rounding=half_up"]["recall_at_5"] == "99.01"
    assert numbers["quant.delay=0.4"]["accuracy"] == "90.04"


@pytest.mark.parametrize(
    ("changed", "factors"),
    [
        (["train.steps"], {}),
        (["quant.bits"], {"bits": "6"}),
        ([], {"op": "mine"}),
        ([], dict.fromkeys(examples.COLUMNS, "") | {"bits": "4"}),
        (["quant.delay", "quant.bits"], {"bits": "4", "delay_pct": "40"}),
    ],
    ids=["another setting", "level", "op", "no op", "two factors"],
)
def test_a_row_that_the_paper_lacks_gets_no_numbers(
    changed: list[str], factors: dict[str, str]
) -> None:
    assert PAPER.line([], True, examples.DEFAULT) is not None
    assert PAPER.line(changed, True, examples.DEFAULT | factors) is None


def test_numbers_stand_row_by_row_with_differences_to_the_same_reference(tmp_path: Path) -> None:
    table = [
        *examples.rows(3),
        examples.Row("train.steps=9", {"train.steps": 9}, examples.DEFAULT, ["ok"] * 3),
    ]
    sweep = collect(_repeating(tmp_path, table, 3))
    metrics = shared_metrics(sweep, PAPER)
    assert [metric.name for metric in metrics] == ["accuracy", "recall_at_5"]
    frame = published_frame(sweep, PAPER).set_index("configuration")
    four = frame.loc["quant.bits=4"]
    assert (four["paper_accuracy"], four["paper_recall_at_5"]) == (52.90, 94.51)
    assert four["paper_difference"] == pytest.approx(52.90 - 89.69)
    mine = [examples.metrics(3, seed)["accuracy"] for seed in range(3)]
    default = [examples.metrics(1, seed)["accuracy"] for seed in range(3)]
    assert four["accuracy"] == pytest.approx(sum(mine) / 3)
    assert four["difference"] == pytest.approx((sum(mine) - sum(default)) / 3)
    assert four["difference_low"] < four["difference"] < four["difference_high"]
    assert pd.isna(frame.at["default", "paper_difference"])
    other = frame.loc["train.steps=9"]
    assert pd.isna(other["paper_accuracy"]) and not pd.isna(other["accuracy"])
    head, *lines = as_lines(frame.reset_index(), metrics)
    assert head[:3] == ["configuration", "paper accuracy %", "accuracy %"]
    shown = {line[0]: line for line in lines}
    assert shown["quant.bits=4"][1] == "52.90" and shown["quant.bits=4"][5] == "-36.79"
    assert shown["train.steps=9"][1] == "-"


def test_every_form_of_the_report_has_them(tmp_path: Path) -> None:
    folder = _repeating(tmp_path, examples.rows())
    text = build_report(folder).text
    assert f"Beside {PAPER.title}" in text and "91.14" in text
    markdown = (folder / "published.md").read_text()
    page = (folder / layout.PAGE).read_text()
    for shown in (markdown, page):
        assert "91.14" in shown and "52.90" in shown and "one run for each row" in shown
        assert "This sweep: digits, 50 steps, 1 seed." in shown
    with (folder / "published.csv").open(newline="") as file:
        lines = {line["configuration"]: line for line in csv.DictReader(file)}
    assert lines["baseline"]["paper_accuracy"] == "91.14"
    assert lines["baseline"]["paper_difference"] == "1.45"
    assert "interval" not in lines["baseline"]


def test_several_seeds_make_it_too_wide_for_a_terminal(tmp_path: Path) -> None:
    folder = _repeating(tmp_path, examples.rows(2), 2)
    assert PAPER.title not in build_report(folder).text
    assert "91.14" in (folder / "published.md").read_text()
    assert "91.14" in (folder / layout.PAGE).read_text()


def test_a_sweep_that_repeats_nothing_has_no_such_section(tmp_path: Path) -> None:
    sweep = collect(examples.write(tmp_path, examples.rows()))
    assert EXTRAS["published"](sweep) is None


def test_a_paper_without_the_metrics_of_a_task_is_left_out(tmp_path: Path) -> None:
    sweep = collect(_repeating(tmp_path, tasks.rows(tasks.HEIGHTS)))
    assert EXTRAS["published"](sweep) is None


def test_a_table_is_added_in_one_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a paper with other metrics and fewer rows; a CSV file has these lines otherwise."""
    mine = Published("mine", "Mine 2031", "ours", "A note.")
    line = {"quantized": "yes", **examples.DEFAULT, "accuracy": "77.25", "size_mb": ""}
    mine.__dict__["lines"] = (line,)
    monkeypatch.setitem(PUBLISHED, "mine", mine)
    folder = _repeating(tmp_path, examples.rows())
    manifest = json.loads((folder / layout.MANIFEST).read_bytes()) | {"repeats": "mine"}
    records.write_atomically(folder / layout.MANIFEST, records.as_json(manifest))
    assert "Beside Mine 2031" in build_report(folder).text
    frame = pd.read_csv(folder / "published.csv").set_index("configuration")
    assert frame.at["default", "paper_accuracy"] == 77.25
    assert frame["paper_accuracy"].isna().sum() == len(frame) - 1
    assert "paper_recall_at_5" not in frame
