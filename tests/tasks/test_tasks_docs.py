"""docs/own.md: its code is code that runs."""

from __future__ import annotations

import inspect
import re
import textwrap
from pathlib import Path

import regression_task

import qbench
from qbench.tasks.task import Task

TEXT = (Path(qbench.__file__).parent.parent / "docs" / "own.md").read_text()
BLOCKS = [
    textwrap.dedent(text).strip("\n")
    for text in re.findall(r"(?:^(?: {4}.*)?\n)*^ {4}.*\n", TEXT, re.MULTILINE)
]


def block(part: str) -> str:
    """The one block of the page that holds a text."""
    (found,) = [text for text in BLOCKS if part in text]
    return found


def test_the_task_is_the_one_that_tests_use() -> None:
    code = block("class Regression(Task)")
    assert inspect.getsource(regression_task.Regression).rstrip() in code
    assert code.startswith("from typing import Any\n")
    exec(compile(code, "own.md", "exec"), {"__name__": "own"})


def test_every_member_of_a_task_is_told() -> None:
    named = [name for name in vars(Task) if not name.startswith("_")]
    functions = [name for name in named if not isinstance(vars(Task)[name], str | bool)]
    table = "\n".join(line for line in TEXT.splitlines() if line.startswith("| `"))
    assert [name for name in functions if f"`{name}`" not in table] == [
        *("checked_score", "as_record")
    ]
