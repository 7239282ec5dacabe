"""The arguments of a model's function: read from its file, and checked before it is imported."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest
from outside_files import FILES, said_by, write

from qbench.base.errors import QbenchError
from qbench.base.model_arguments import signature_of
from qbench.base.outside import code, session
from qbench.base.outside.declared import declared

PLAIN = {
    "two": "shape, classes",
    "defaults": "shape, classes, width=4, act=max, sizes=(1, 2)",
    "keywords": "shape, classes, *, width, depth=2",
    "positional": "shape, classes=10, /, width=3",
    "several": "*given, width=3, **others",
    "one": "shape",
    "none": "",
}


def read(folder: Path, text: str) -> inspect.Signature | None:
    """The signature of `build` in a file."""
    write(folder, {"mine.py": text})
    with session(folder):
        return declared(code("model.name", "mine.py:build"))


@pytest.mark.parametrize("name", PLAIN)
def test_a_plain_function_is_read_as_python_reads_it(name: str, tmp_path: Path) -> None:
    text = f"def build({PLAIN[name]}):\n    return 1\n"
    found, names = read(tmp_path, text), {}
    exec(text, names)
    expected = inspect.signature(names["build"])
    assert found is not None
    shown = [
        [(one.name, one.kind, one.default is one.empty) for one in signature.parameters.values()]
        for signature in (found, expected)
    ]
    assert shown[0] == shown[1]
    if "act" not in PLAIN[name]:
        assert str(found) == str(expected)


@pytest.mark.parametrize(
    "text",
    [
        "from functools import cache\n\n@cache\ndef build(shape): pass\n",
        "def build(shape): pass\n\nbuild = print\n",
        "def build(shape): pass\n\ndef change():\n    global build\n    build = print\n",
        "def build(shape): pass\nfrom os import *\n",
        "if True:\n    def build(shape): pass\n",
        "from keras import Model as build\n",
        "async def build(shape): pass\n",
        "class build: pass\n",
        "def other(shape): pass\n",
    ],
)
def test_what_only_an_import_can_tell_is_not_read(text: str, tmp_path: Path) -> None:
    assert read(tmp_path, text) is None


WRONG = {
    "model.wdth=3": "model.wdth is not a setting; did you mean model.width? Allowed: width.",
    "model=nets/mine.py:build,nets/odd.py:one": (
        "model=nets/odd.py:one: its function takes (shape, *, w=max); it must take two arguments"
        " first, the shape (height, width, channels) of an image and the number of classes."
    ),
    "model=nets/odd.py:two": "model.depth is missing; give it a value.",
    "model=nets/odd.py:three": (
        "model=nets/odd.py:three: nothing can set the argument `name` of its function, because"
        " model.name is the function; call it otherwise, or give it a default."
    ),
}
ODD = """
def one(shape, *, w=max): pass
def two(shape, classes, depth): pass
def three(shape, classes, name): pass
"""


@pytest.mark.parametrize("typed", WRONG)
def test_a_plan_says_what_is_wrong(
    typed: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(write(tmp_path, {**FILES, "nets/odd.py": ODD}))
    model = [] if typed.startswith("model=") else ["model=nets/mine.py:build"]
    assert said_by(["plan", *model, typed, "design.factors=[]"], capsys) == WRONG[typed]


def test_a_function_that_python_does_not_know_is_refused() -> None:
    with pytest.raises(QbenchError, match="model=mine: Python cannot say which arguments it take"):
        signature_of("mine", type)
