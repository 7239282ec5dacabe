"""Text made fit for Markdown, HTML, CSV and lines of a terminal, and nothing of it lost."""

from __future__ import annotations

import csv
import html
import io
from typing import Any

import pandas as pd
import pytest
import report_hostile as hostile
from hypothesis import given
from hypothesis import strategies as st

from qbench.base.plain import one_line, sentence, storable
from qbench.report.page import render, svg
from qbench.report.tables import csv_text
from qbench.report.texts import aligned, columns, in_markdown, markdown, short


@given(first=hostile.ANY_TEXT, second=hostile.ANY_TEXT)
def test_markdown_is_text_and_nothing_else(first: str, second: str) -> None:
    cells = hostile.plain(markdown([["head", "x"], [first, second]]))
    assert cells == ["head", "x", one_line(first).strip(), one_line(second).strip()]
    item = f"{first}, seed 0"
    assert hostile.plain(f"- {in_markdown(item)}") == [one_line(item).strip()]


@pytest.mark.parametrize(
    "text",
    [
        "quant.op=fake_quant",
        "quant.placement=[conv,activation,add]",
        *("98.50 ± 0.10", "-", "+0.17", "-1.00"),
        *("weights \\ activations", "10^6 bytes (of Recall@5)", "100 %, a > b", "#1"),
    ],
)
def test_markdown_leaves_alone_what_is_no_markup(text: str) -> None:
    assert in_markdown(text) == text


@given(text=hostile.ANY_TEXT)
def test_html_is_text_and_nothing_else(text: str) -> None:
    """In a template of the page, and in a drawing."""
    template = render._environment().from_string("{{ text }}")
    for escaped in template.render(text=text), svg._attribute(text), svg.element("a", text)[3:-4]:
        assert not set("<>\"'\n\x00\x1b") & set(escaped)
        assert html.unescape(escaped) == one_line(text)


@given(texts=st.lists(hostile.ANY_TEXT.map(storable), min_size=1, max_size=3))
def test_csv_gives_back_what_was_written(texts: list[str]) -> None:
    written = csv_text(pd.DataFrame({"loss": [1.23456789] * len(texts), "configuration": texts}))
    options: Any = {"dtype": {"configuration": str}, "keep_default_na": False}
    read = pd.read_csv(io.BytesIO(written.encode()), **options)
    assert list(read["configuration"]) == texts
    assert list(read["loss"]) == [1.234568] * len(texts)
    lines = csv.DictReader(io.StringIO(written, newline=""))
    assert [line["configuration"] for line in lines] == texts


@given(text=hostile.ANY_TEXT, longest=st.integers(10, 30))
def test_short_keeps_both_ends(text: str, longest: int) -> None:
    whole, cut = one_line(text), short(text, longest)
    assert columns(cut) <= longest
    if cut != whole:
        start, dots, end = cut.partition("...")
        assert columns(whole) > longest
        assert dots and whole.startswith(start) and whole.endswith(end)


def test_columns_stand_below_each_other_whatever_the_letters() -> None:
    lines = aligned([["name", "x"], ["中文", "1"], ["e\u0301\u200d", "22"], ["😀", "3"]])
    assert lines.split("\n") == ["name   x", "中文   1", "e\u0301\u200d     22", "😀     3"]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a\r\n\t b", "a b"),
        ("a  b", "a  b"),
        ("\x1b[31m\x07\x00\x9b", r"\x1b[31m\x07\x00\x9b"),
        ("\u202eab\u2069", r"\u202eab\u2069"),
        ("\udcff\ud83d\uffff", r"\xff\ud83d\uffff"),
        ("שלום 👩‍🔬\u200f", "שלום 👩‍🔬\u200f"),
        (" \n", ""),
    ],
)
def test_one_line(text: str, line: str) -> None:
    assert one_line(text) == line


@given(text=st.text())
def test_one_line_is_stable_and_can_be_written(text: str) -> None:
    line = one_line(text)
    assert line.encode().decode().splitlines() in ([], [line])
    assert one_line(line) == line


@pytest.mark.parametrize(
    ("text", "said"), [("a", "a."), ("a.", "a."), ("a?\n", "a?"), ("a)", "a).")]
)
def test_sentence(text: str, said: str) -> None:
    assert sentence(text) == said
