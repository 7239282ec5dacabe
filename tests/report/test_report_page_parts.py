"""The parts of the page, from values that one can check by hand."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import report_conversions as conversions
import report_examples as examples
import report_grids as grids

from qbench.report.collect import collect, table_frame
from qbench.report.page import svg
from qbench.report.page.answer import Answer, answer, new_sentences
from qbench.report.page.files import files
from qbench.report.page.ladder import ladder
from qbench.report.page.losses import losses
from qbench.report.page.svg import Scale
from qbench.report.page.table import table
from qbench.report.page.tradeoff import Dot, front, trade_off
from qbench.statistics.compared import Comparison
from qbench.statistics.comparison import compare
from qbench.tasks.classification import Classification
from qbench.tasks.metric import Metric

FIRST = Classification(10).metrics[0]
ERROR = Metric("error", "error", "px", 2, False, "first")


def test_ticks_are_round_and_lie_on_the_axis() -> None:
    assert Scale(-0.13, 1.07).ticks() == [
        (pytest.approx((value + 0.13) / 1.2), text)
        for value, text in ((0.0, "0.0"), (0.2, "0.2"), (0.4, "0.4"), (0.6, "0.6"), (0.8, "0.8"))
    ] + [(pytest.approx(1.13 / 1.2), "1.0")]
    assert [text for _, text in Scale(-2e-5, 1e-5).ticks(3)] == [
        "\u22122e\u22125",
        "\u22121e\u22125",
        "0",
        "1e\u22125",
    ]
    assert [text for _, text in Scale(0.002, 3, True).ticks()] == ["0.01", "0.1", "1"]
    assert [text for _, text in Scale(0.4, 3, True).ticks()] == ["0.5", "1", "2"]
    assert Scale(0.1, 10, True).at(1) == pytest.approx(0.5)


def test_an_axis_of_equal_values_has_a_length() -> None:
    scale = svg.around([98.5, 98.5], least=0.2)
    assert (scale.low, scale.high) == pytest.approx((98.4, 98.6))


def test_a_path_is_written_as_steps() -> None:
    drawn = svg.curve([(0.0, 10.0), (0.5, 12.5), (1.0, 12.5)], "s0")
    assert drawn == '<path d="m0 10l500 2.5 500 0" class="curve s0"></path>'
    closed = svg.band([(0.0, 1.0), (1.0, 1.0)], [(0.0, 3.0), (1.0, 3.0)], "s0")
    assert 'd="m0 1l1000 0 0 2 -1000 0z"' in closed


def test_texts_and_attributes_are_escaped() -> None:
    made = svg.text('<b> & "c"\n\x1b', "50%", 3.0)
    assert "&lt;b&gt; &amp;" in made and "\n" not in made and "\x1b" not in made
    assert 'title="&#34;"' in svg.element("g", title='"')


@pytest.mark.parametrize("metric", [FIRST, ERROR], ids=["higher", "lower"])
def test_the_front_has_what_no_other_file_beats(metric: Metric) -> None:
    sign = 1 if metric.higher_is_better else -1
    dots = [
        Dot("dear", 9, 5 * sign),
        Dot("best", 3, 5 * sign),
        Dot("same", 3, 5 * sign),
        Dot("small", 1, 2 * sign),
        Dot("worse", 2, 2 * sign),
        Dot("middle", 2, 3 * sign),
    ]
    assert [dot.label for dot in front(dots, metric)] == ["small", "middle", "best", "same"]


def _answer(values: dict[str, list[float]], **more: Any) -> Answer:
    by_seed = {row: dict(enumerate(own)) for row, own in values.items()}
    made = compare(by_seed, "default", margin=0.5, unit="percentage points", **more)
    return answer("", made, FIRST)


VALUES = {
    "default": [90.0, 91.0, 90.5, 90.2, 90.8],
    "a": [85.0, 86.1, 85.4, 85.2, 85.9],
    "b": [90.0, 91.05, 90.45, 90.2, 90.8],
    "c": [89.0, 92.0, 90.5, 90.2, 91.8],
}


def test_the_verdict_names_what_is_worse_first() -> None:
    found = _answer(VALUES)
    first, *others = found.sentences
    assert first.startswith("a is worse than default by 4.98 percentage points [4.")
    assert "b is equivalent to default within 0.5 percentage points." in others
    assert re.search(
        r"^c is undecided\. About \d+ to \d+ seeds would decide it at its present spread\.$",
        others[-1],
    )
    assert [row.label for row in found.rows] == ["a", "b", "c"]
    assert [row.kind for row in found.rows] == ["worse", "equal", "open"]
    assert found.rows[0].difference == "\u22124.98"


def _compared(values: dict[str, list[float]]) -> Comparison:
    by_seed = {row: dict(enumerate(own)) for row, own in values.items()}
    return compare(by_seed, "default", margin=0.5, unit="percentage points")


def test_files_do_not_repeat_the_verdict_of_the_simulation() -> None:
    simulated = _compared(VALUES)
    files = _compared(VALUES | {"a": [80.0, 81.1, 80.4, 80.2, 80.9]})
    said = new_sentences(files, simulated, FIRST)
    assert [text[:35] for text in said] == [
        "a is worse than default by 9.98 per",
        "All else is as in simulation.",
    ]
    same = new_sentences(simulated, simulated, FIRST)
    assert same == ["The verdict is that of the simulation, row by row."]


def test_rows_that_a_sentence_does_not_name_count() -> None:
    """Eight rows are equivalent in both, and the last one is another row."""
    names = [f"r{k}" for k in range(9)]
    equal = dict.fromkeys(names, VALUES["b"])
    simulated = _compared({"default": VALUES["default"]} | equal | {"r8": VALUES["c"]})
    files = _compared({"default": VALUES["default"]} | equal | {"r7": VALUES["c"]})
    said = new_sentences(files, simulated, FIRST)
    assert said[0].startswith("8 rows are equivalent") and said[0].endswith("r5 and 2 more.")
    assert said[1].startswith("r7 is undecided.") and len(said) == 2


def test_many_rows_of_one_verdict_share_a_sentence() -> None:
    names = [f"r{k}" for k in range(8)]
    found = _answer({"default": VALUES["default"], **dict.fromkeys(names, VALUES["b"])})
    assert found.sentences == [
        "8 rows are equivalent to default within 0.5 percentage points: r0, r1, r2, r3, r4, r5"
        " and 2 more."
    ]


def test_the_rows_that_are_worst_have_a_sentence_each() -> None:
    worse = {f"r{k}": [value - k for value in VALUES["b"]] for k in range(2, 8)}
    said = _answer({"default": VALUES["default"], **worse}).sentences
    assert [text.partition(" is worse than default by ")[0] for text in said[:4]] == [
        *("r7", "r6", "r5", "r4")
    ]
    assert said[4:] == ["2 rows are worse than default too: r3, r2."]


def test_one_seed_has_no_interval_and_says_so() -> None:
    found = _answer({row: own[:1] for row, own in VALUES.items()})
    assert found.sentences == [
        "3 rows have no interval, so their differences to default may be chance. The largest is"
        " that of a: \u22125.00 percentage points."
    ]
    assert not found.intervals
    assert all('class="interval"' not in row.drawing for row in found.rows)


def test_every_seed_is_a_dot_at_its_difference() -> None:
    found = _answer(VALUES)
    (row,) = [row for row in found.rows if row.label == "c"]
    places = [float(at) for at in re.findall(r'<use href="#circle" x="([\d.-]+)%"', row.drawing)]
    ends = [
        float(at)
        for at in re.findall(r'<line x1="([\d.-]+)%" x2="([\d.-]+)%"[^>]*interval', row.drawing)[0]
    ]
    by_value = dict(zip([-1.0, 1.0, 0.0, 0.0, 1.0], places, strict=True))
    # Equal steps of the difference are equal steps of the drawing, the interval among them.
    ((_, low, high),) = re.findall(
        r"^(c).*\[(\S+), (\S+)\]", f"c {row.interval}".replace("\u2212", "-")
    )
    per_point = by_value[1.0] - by_value[0.0]
    assert by_value[0.0] - by_value[-1.0] == pytest.approx(per_point, abs=0.02)
    assert (ends[1] - ends[0]) / per_point == pytest.approx(float(high) - float(low), abs=0.02)


def test_columns_of_one_value_and_long_texts_leave_the_table(tmp_path: Path) -> None:
    folder = examples.write(tmp_path, examples.rows()[:4])
    long = "a note that is longer than forty letters, said twice"
    for number in (1, 2):
        conversions.add(folder, number, export_note=long)
    sweep = collect(folder)
    made = table(table_frame(sweep), sweep.metrics)
    heads = [head for head, _ in made.heads]
    assert heads[:2] == ["configuration", FIRST.heading]
    assert ("status", "ok") in made.constant and ("size MB", "0.079") in made.constant
    assert "op" in heads and "preprocessing" in heads
    assert made.notes == [long]
    column = heads.index("export note")
    assert [cells[column].note for _, cells in made.rows] == [0, 1, 1, 0]
    assert [kind for kind, _ in made.rows] == ["top", "top", "", ""]


def test_a_table_of_one_row_keeps_its_columns(tmp_path: Path) -> None:
    sweep = collect(examples.write(tmp_path, examples.rows()[:1]))
    assert table(table_frame(sweep), sweep.metrics).constant == []


def test_files_are_means_over_the_seeds_that_have_one(tmp_path: Path) -> None:
    folder = examples.write(tmp_path, examples.rows(3)[:2], seeds=3)
    conversions.add(folder, 1, 0, 90.0)
    conversions.add(folder, 1, 2, 94.0, bytes=205_000)
    broken = {"xnnpack": conversions.path(80.0), "builtin": conversions.ERROR}
    conversions.add(folder, 0, 1, kernels=broken)
    baseline, default = files(collect(folder))
    value = [[examples.metrics(row, seed)["accuracy"] for seed in range(3)] for row in (0, 1)]
    assert default.simulated == pytest.approx((value[1][0] + value[1][2]) / 2)
    assert default.each == {
        "float": (value[0][0], value[0][2]),
        "simulated": (value[1][0], value[1][2]),
        **{"xnnpack": (90.0, 94.0), "builtin": (89.0, 93.0), "reference": (88.0, 92.0)},
    }
    assert default.megabytes == 0.155
    assert {"xnnpack": baseline.each["xnnpack"], "builtin": baseline.each.get("builtin")} == {
        "xnnpack": (80.0,),
        "builtin": None,
    }
    made = ladder(collect(folder))
    assert made is not None and made.steps == [
        "float",
        "simulated",
        "xnnpack",
        "builtin",
        "reference",
    ]
    assert [texts[2:] for _, _, texts in made.rows] == [
        ["80.00", "-", "-"],
        ["92.00 ± 2.83", "91.00 ± 2.83", "90.00 ± 2.83"],
    ]
    assert [drawing.count("<use") for _, drawing, _ in made.rows] == [3, 5]
    assert [drawing.count('class="seed"') for _, drawing, _ in made.rows] == [0, 2 * 5]
    shown = trade_off(collect(folder))
    assert shown is not None and len(shown.plots) == 1 and shown.several
    assert shown.plots[0].drawing.count('class="seed"') == 2
    assert shown.fronts[0].startswith("On the front, where no other file")


def test_without_files_there_are_no_sections_of_files(tmp_path: Path) -> None:
    sweep = collect(examples.write(tmp_path, examples.rows()[:2]))
    assert ladder(sweep) is None and trade_off(sweep) is None


def test_losses_have_a_band_over_seeds_and_a_panel_of_differences(tmp_path: Path) -> None:
    one = losses(collect(examples.write(tmp_path / "one", examples.rows()[:3])))
    several = losses(collect(examples.write(tmp_path / "three", examples.rows(3)[:3], seeds=3)))
    assert one is not None and several is not None
    for found, bands in ((one, 0), (several, 3)):
        (figure,) = found.figures
        assert figure.title == "Training loss by fake-quantization op"
        assert [kind for _, kind in figure.legend] == ["float", "s0", "s1"]
        assert figure.above.drawing.count('class="curve') == 3
        assert figure.above.drawing.count('class="band') == bands
        assert figure.below is not None and figure.below.drawing.count('class="curve') == 2
    assert "smallest to the largest seed" in several.explained
    assert "band" not in one.explained


def test_no_losses_of_a_grid(tmp_path: Path) -> None:
    assert losses(grids.sweep(tmp_path, grids.GRID)) is None


def test_a_frame_without_files_has_a_table() -> None:
    frame = pd.DataFrame({"status": ["ok", "failed"], "configuration": ["a", "b"]})
    made = table(frame, (FIRST,))
    assert [kind for kind, _ in made.rows] == ["", "bad"]
