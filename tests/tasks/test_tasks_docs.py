"""docs/own.md: its code is code that runs."""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
from pathlib import Path

import pytest
import regression_task

import qbench
from qbench.data import DATASETS
from qbench.models import MODELS
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


def test_a_data_set_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(DATASETS, "_items", {})
    from qbench.data import Source

    exec(block('"spots"'), {**vars(regression_task), "Source": Source})
    assert DATASETS["spots"] == regression_task.SPOTS


def test_the_model_is_built_and_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(MODELS, "_items", {})
    exec(compile(block("def mine(shape"), "own.md", "exec"), {"__name__": "own"})
    built, loaded = ast.parse(block("build_model(")).body[:-1], block("build_model(").splitlines()
    names: dict[str, object] = {}
    exec(compile(ast.Module(built, []), "own.md", "exec"), names)
    assert names["model"].output.shape == (None, 10)  # type: ignore[attr-defined]
    assert loaded[-1].startswith("model.load_weights(")
