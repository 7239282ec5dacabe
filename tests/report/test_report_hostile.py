"""Text from people stands as it is in every form of a report, and breaks none of them."""

from __future__ import annotations

import json
import re
import warnings
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pandas as pd
import pytest
import report_grids as grids
import report_hostile as hostile
from hypothesis import example, given, settings
from matplotlib.figure import Figure

from qbench.base.plain import one_line, sentence, storable
from qbench.report.build import Report, build_report
from qbench.report.drawing import legend, save_figure
from qbench.report.texts import columns, short

TEXTS = pytest.mark.parametrize("text", hostile.TEXTS.values(), ids=hostile.TEXTS.keys())


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return hostile.write(tmp_path_factory.mktemp("hostile"))


@pytest.fixture(scope="module")
def report(folder: Path) -> Report:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return build_report(folder)


def _squeezed(text: str) -> str:
    return re.sub(r"\s", "", text)


def test_all_is_drawn_and_written(report: Report, folder: Path) -> None:
    assert report.undrawn == []
    names = {"fig3_op", "deployed", "latency_accuracy"}
    files = {f"{name}.{kind}" for name in names for kind in ("png", "svg")}
    assert {path.name for path in (folder / "figures").iterdir()} == files


def test_the_terminal_shows_a_line_for_each_row_and_no_control_character(
    report: Report, folder: Path
) -> None:
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u202e]", report.text)
    lines = report.text.split("\n")
    rows = len(hostile.TEXTS) + 2
    assert all(re.search(r"  (ok|failed)$", line) for line in lines[1 : rows + 1])
    widths = {columns(re.sub(r"(ok|failed)$", "", line)) for line in lines[1 : rows + 1]}
    assert len(widths) == 1
    one_seed, of_files, note, *wrong = lines[rows + 1 :]
    assert one_seed.startswith("One seed gives no interval")
    assert of_files.startswith("Converted files: The same as default")
    assert note == sentence("Note on digits: " + storable("; ".join(hostile.TEXTS.values())))
    assert len(wrong) == len(hostile.TEXTS) // 3
    assert all(line.startswith("! ") for line in wrong)


@TEXTS
def test_csv_keeps_a_text_to_the_letter(text: str, report: Report, folder: Path) -> None:
    label = storable(hostile.label(text))
    for name in ("table.csv", "runs.csv"):
        frame = pd.read_csv(folder / name)
        assert len(frame) == len(hostile.TEXTS) + 2
        (line,) = frame[frame["configuration"] == label].to_dict("records")
        assert line["op"] == storable(text)
        if line["status"] == "ok":
            assert line["export_note"] == f"tensors: {label}"
        elif name == "runs.csv":
            assert line["error"] == f"what went wrong & <why> in {label}"


@TEXTS
def test_markdown_shows_a_text_as_it_is(text: str, report: Report, folder: Path) -> None:
    shown = hostile.plain((folder / "table.md").read_text())
    label = hostile.label(text)
    assert one_line(label).strip() in shown
    failed = one_line(f"{label}, seed 0: failed. what went wrong & <why> in {label}")
    assert (one_line(f"tensors: {label}") in shown) != (failed.strip() in shown)


class _Reader(HTMLParser):
    """Collects the texts of elements and all attributes."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.texts: list[str] = []
        self.tags: list[str] = []
        self.attributes: set[str] = set()
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes.update(name for name, _ in attrs)

    def handle_data(self, data: str) -> None:
        self.texts.append(data.strip())


@TEXTS
def test_the_page_shows_a_text_as_it_is(text: str, report: Report, folder: Path) -> None:
    reader = _Reader((folder / "report.html").read_text(encoding="utf-8"))
    assert one_line(hostile.label(text)).strip() in reader.texts
    assert "b" not in reader.tags
    assert reader.tags.count("script") == 1
    assert "onload" not in reader.attributes


@TEXTS
@pytest.mark.parametrize(
    ("name", "entry"),
    [
        ("fig3_op", lambda text: text),
        ("latency_accuracy", lambda text: f"{hostile.label(text)} (int8)"),
        ("deployed", hostile.label),
    ],
)
def test_a_figure_shows_a_text_as_it_is(
    name: str, entry: Any, text: str, report: Report, folder: Path
) -> None:
    """Legends and names along an axis; those of failed rows are in none."""
    drawn = {_squeezed(element) for element in _svg_texts(folder / "figures" / f"{name}.svg")}
    shown = _squeezed(short(entry(storable(text)), 60))
    failed = list(hostile.TEXTS.values()).index(text) % 3 == 2
    assert (shown in drawn) == (not failed)


def _svg_texts(path: Path) -> list[str]:
    root = ElementTree.fromstring(path.read_bytes())
    return [
        "".join(element.itertext()) for element in root.iter("{http://www.w3.org/2000/svg}text")
    ]


def _drawn(text: str, folder: Path) -> str:
    """All texts of a figure that has this one in every place that it can have one."""
    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    (line,) = axes.plot([1, 2], [1, 1000])
    axes.set(yscale="log", title=text, xlabel=text)
    axes.set_xticks([1, 2], [text, "other"])
    axes.text(1, 1, text)
    axes.annotate(text, (1, 10))
    figure.suptitle(text)
    legend(axes, [(text, line)])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        _, svg = save_figure(figure, folder / "figure", [text])
    return "\n".join(_svg_texts(svg))


@settings(max_examples=6)
@given(text=hostile.ANY_TEXT.filter(lambda text: len(one_line(text)) > 2).map(storable))
@example(text=r"see $\frac$ b")
@example(text="a $5 and $6")
def test_no_place_of_a_figure_takes_a_text_for_mathematics(
    text: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    shown = one_line(text)
    drawn = _drawn(shown, tmp_path_factory.mktemp("figure"))
    assert _squeezed(drawn).count(_squeezed(shown)) >= 8


def test_levels_and_notes_stand_as_they_are_in_grids_and_differences(tmp_path: Path) -> None:
    level, note = r"$\frac$|<b>_", "a | b $5 $6\n*c*"
    folder = grids.write(tmp_path, {**grids.GRID, "model.name": ("x", level)})
    path = folder / "manifest.json"
    manifest = json.loads(path.read_bytes())
    for row in manifest["rows"]:
        row["note"] = note
    path.write_text(json.dumps(manifest))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        report = build_report(folder)
    assert report.undrawn == []
    assert f"Note on digits: {one_line(note)}." in report.text.split("\n")
    for name in ("differences", "bits_grid"):
        shown = hostile.plain((folder / f"{name}.md").read_text())
        assert f"Note on digits: {one_line(note)}." in shown
        assert any(level in text for text in shown)
    assert level in set(pd.read_csv(folder / "differences.csv")["model.name"])
    drawn = _svg_texts(folder / "figures" / "bits_grid.svg")
    assert any(text.startswith(f"model.name={level}, float accuracy") for text in drawn)


def test_numbers_along_an_axis_stay_mathematics(tmp_path: Path) -> None:
    drawn = _squeezed(_drawn("text", tmp_path))
    assert "mathdefault" not in drawn
    assert "100101102103" in drawn


def test_a_figure_with_a_control_character_can_be_read(tmp_path: Path) -> None:
    figure = Figure()
    figure.suptitle("two\nlines \x00\x1b\ufffe")
    _, svg = save_figure(figure, tmp_path / "figure", [])
    assert _svg_texts(svg) == ["two", r"lines \x00\x1b\ufffe"]


def test_a_long_remark_makes_a_figure_taller_and_is_cut(tmp_path: Path) -> None:
    heights = []
    for length in (10, 400, 4_000, 40_000):
        figure = Figure(layout="constrained")
        figure.subplots()
        save_figure(figure, tmp_path / "figure", ["word " * length])
        root = ElementTree.fromstring((tmp_path / "figure.svg").read_bytes())
        heights.append(float(root.attrib["height"].removesuffix("pt")))
    assert heights[0] < heights[1] < heights[2] == heights[3] < 2.5 * heights[0]
