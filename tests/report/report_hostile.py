"""Texts as people write them, and a made-up sweep that has them wherever it has texts."""

from __future__ import annotations

import json
from pathlib import Path

import report_conversions as conversions
import report_examples as examples
from hypothesis import strategies as st
from markdown_it import MarkdownIt

TEXTS = {
    "dollars": r"see $\frac$ b",
    "money": "a $5 and $6",
    "one dollar": r"$ and \$ and \\$",
    "markup": "_a_ *b* ~c~ `d` [e](f) ![g](h) #1 x^2 100%",
    "tags": "<b>bold</b> &amp; & </td><script>alert(1)</script> -->",
    "quotes": "don't say \"x\" onload='y'",
    "cells": "a | b || c \\| d \\",
    "lines": "first\nsecond\r\nthird\tfourth\x0bfifth\u2028sixth",
    "control": "\x1b[31mred\x1b[0m \x00 \x07 \x9b2J",
    "formula": '=HYPERLINK("x") +1 -1 @a',
    "emoji": "😀 👩‍🔬 中文 é e\u0301",
    "right to left": "שלום \u202egnp.exe\u202c مرحبا \u2066x",
    "half a pair": "a \ud83d b \udcff c",
    "blanks": "  two  blanks  ",
    "byte": "a \udcff b",
    "underscore": "_hidden",
    "long": "long " * 400,
    "long word": "x" * 2000,
}

MARKDOWN = MarkdownIt("commonmark").enable(["table", "strikethrough"])

ANY_TEXT = st.lists(
    st.sampled_from([*"$_^%#<>&|\\\"'`*~[]()!-+=; \n\t\r\x00\x1b", "&amp;", "1. ", "](", r"\|"])
    | st.characters(),
    max_size=15,
).map("".join)


def write(root: Path) -> Path:
    """A sweep with a note of all texts and a row for each, some failed, some converted and timed.

    The row of a text is called `label` of it, its error and its export note hold it, and it is
    the level of the factor that a figure shows.
    """
    table = examples.rows()[:2]
    for number, text in enumerate(TEXTS.values()):
        status = "failed" if number % 3 == 2 else "ok"
        factors = examples.DEFAULT | {"op": text}
        table.append(examples.Row(label(text), {"quant.op": number}, factors, [status]))
    folder = examples.write(root, table)
    manifest = json.loads((folder / "manifest.json").read_bytes())
    for row in manifest["rows"]:
        row["note"] = "; ".join(TEXTS.values())
    (folder / "manifest.json").write_text(json.dumps(manifest))
    for number, row in enumerate(table):
        if row.statuses == ["ok"]:
            note = f"tensors: {row.label}"
            run = conversions.add(folder, number, export_note=note)
            timed = {"kernels": "xnnpack", "threads": 1, "milliseconds": {"int8": {"median": 3}}}
            latency = {"file": "model_int8.tflite", "sha256": "aa", "batch": 1, "rows": [timed]}
            (run / "latency.json").write_text(json.dumps(latency))
    return folder


def label(text: str) -> str:
    return f"{text} is a level"


def plain(text: str) -> list[str]:
    """The paragraphs and cells of a Markdown text, each of which must be nothing but text."""
    found = []
    for token in MARKDOWN.parse(text):
        if token.type == "inline":
            assert {part.type for part in token.children or []} <= {"text", "text_special"}
            found.append("".join(part.content for part in token.children or []).strip())
    return found
