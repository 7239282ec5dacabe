"""The files and the commands of a page of the documentation."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

import qbench

BLOCK = r"((?: {4}.*\n|\n)* {4}.*\n)"
SMALL = [
    *("study=digits", "train.steps=4", "eval.limit=60", "isolate=false", "threads=2"),
    "train.batch_size=8",
]


def page(name: str) -> str:
    """The text of a page."""
    return (Path(qbench.__file__).parent.parent / "docs" / name).read_text()


def files(text: str) -> dict[str, str]:
    """The files of a page, by the names that it gives them."""
    found = re.findall(rf"he file is `([^`]+)`:\n\n{BLOCK}", text)
    return {name: textwrap.dedent(content).strip("\n") + "\n" for name, content in found}


def commands(text: str) -> list[str]:
    """The commands of a page. A command ends where its explanation begins, after two blanks."""
    lines = re.findall(r"^ {4}qbench .*", text, re.MULTILINE)
    return [line.strip().partition("  ")[0] for line in lines]
