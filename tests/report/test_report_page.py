"""report.html: one file that needs nothing else; notes; and no TensorFlow."""

from __future__ import annotations

import html
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest
import report_examples as examples

from qbench.report.build import build_report
from qbench.report.texts import counted


class _Reader(HTMLParser):
    """Collects tags, the attributes that load something, and the text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.loads: list[str] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        loading = ("src", "href", "xlink:href", "data", "srcset", "action", "poster")
        self.loads += [value or "" for name, value in attrs if name in loading]

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    table = examples.rows()
    table[3].statuses = ["failed"]
    made = examples.write(tmp_path_factory.mktemp("page"), table)
    build_report(made)
    return made


@pytest.fixture(scope="module")
def page(folder: Path) -> str:
    return (folder / "report.html").read_text()


def test_the_page_loads_nothing(page: str) -> None:
    reader = _Reader(page)
    assert all(value.startswith("#") for value in reader.loads)
    assert not {"link", "img", "iframe", "object", "embed", "base"} & set(reader.tags)
    assert reader.tags.count("script") == 1
    assert all(inner.startswith("#") for inner in re.findall(r"url\(['\"]?([^)]*)", page))
    assert "@import" not in page
    assert not re.search(r"(src|href)\s*=\s*['\"]?\s*(https?:)?//", page)


def test_the_page_holds_the_table_and_the_figures(page: str) -> None:
    reader = _Reader(page)
    assert reader.tags.count("figure") == 4
    assert page.count('<svg class="plot"') == 4 * 2
    assert _rows_of_the_table(page) == 7
    for row in examples.rows():
        assert row.label in reader.text
    assert f"{examples.metrics(0, 0)['accuracy']:.2f}" in reader.text
    assert page.startswith("<!doctype html>")
    assert page.count("<?xml") == 0


def _rows_of_the_table(page: str) -> int:
    table = page.partition('<table id="rows">')[2].partition("</table>")[0]
    return table.partition("<tbody>")[2].count("<tr")


def test_the_page_escapes_what_it_quotes(page: str) -> None:
    assert "what went wrong &amp; &lt;why&gt; in quant.bits=4" in page
    assert "<why>" not in page
    assert "<not>" not in page


def test_the_data_note_stands_in_both_texts(folder: Path, page: str) -> None:
    escaped = examples.NOTE.replace("<", r"\<")
    assert f"Note: {escaped}." in (folder / "table.md").read_text()
    assert f"Note on digits: {examples.NOTE}." in _Reader(page).text
    svg = re.sub(r"<[^>]*>|\s", "", (folder / "figures" / "fig2_delay.svg").read_text())
    assert "made-updata;<not>forcomparison" in html.unescape(svg)


@pytest.mark.parametrize(
    "part",
    [
        "1,198 training and 599 test images",
        "SHA-256 d53a0d42f46b...",
        "One seed gives no interval: single runs differ by chance",
        "CPU, 2 threads, TensorFlow 2.21.0, Keras 3.13, qbench 0.1",
        "Recall@5 is the share of test images",
        "Size is theoretical",
    ],
)
def test_notes(folder: Path, page: str, part: str) -> None:
    assert part in (folder / "table.md").read_text()
    assert part in _Reader(page).text


def test_one_seed_is_said_once_in_each_form(folder: Path, page: str) -> None:
    for text in (folder / "table.md").read_text(), page:
        assert text.count("One seed gives no interval") == 1


def test_several_seeds_are_said(tmp_path: Path) -> None:
    made = examples.write(tmp_path, examples.rows(3), seeds=3)
    build_report(made)
    text = (made / "table.md").read_text()
    assert "Figures are means ± sample standard deviations of 3 seeds." in text
    assert "Differences are to default, of runs of the same seed." in text
    assert "One seed" not in text


@pytest.mark.parametrize(("number", "noun"), [(0, "0 seeds"), (1, "1 seed"), (2, "2 seeds")])
def test_counted(number: int, noun: str) -> None:
    assert counted(number, "seed") == noun


def test_a_report_is_the_same_each_time(folder: Path) -> None:
    names = ["runs.csv", "table.csv", "table.md", "report.html"]
    before = {name: (folder / name).read_bytes() for name in names}
    build_report(folder)
    assert {name: (folder / name).read_bytes() for name in names} == before


def test_a_report_imports_no_tensorflow(folder: Path) -> None:
    """Nor Keras, nor scikit-learn: a report is built in a second."""
    code = (
        "import sys, pathlib; from qbench.report.build import build_report;"
        "build_report(pathlib.Path(sys.argv[1]));"
        "print(sorted({'tensorflow', 'keras', 'sklearn'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(folder)], capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"
