"""Small files of code from outside, and questions about them."""

from __future__ import annotations

import json
import textwrap
from pathlib import Path
from typing import Any

import pytest

from qbench.base.outside import code, session
from qbench.base.outside.objects import object_of
from qbench.cli.main import main
from qbench.planning.plan import Plan

# Ten lines of a network of one's own.
NETWORK = """
import keras
from keras import layers


def build(shape, classes, width=4):
    image = keras.Input(shape)
    x = layers.Conv2D(width, 3, padding="same", use_bias=False)(image)
    x = layers.ReLU()(layers.BatchNormalization()(x))
    return keras.Model(image, layers.Dense(classes)(layers.GlobalAveragePooling2D()(x)))
"""


SMALL = ["study=digits", "train.steps=8", "eval.limit=100", "threads=2", "isolate=false"]
OWN = ["model=nets/mine.py:build", "model.width=3"]
FILES = {
    "nets/mine.py": NETWORK.replace("import keras\n", "import keras\nimport parts\n", 1),
    "nets/parts.py": "NOTHING = 0\n",
}


def write(folder: Path, files: dict[str, str]) -> Path:
    """Write files below a folder, and return the folder."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text))
    return folder


def value(folder: Path, name: str, kind: Any = object) -> Any:
    """What a reference stands for in a folder."""
    with session(folder):
        return object_of("thing", name, kind)


def digest(folder: Path, name: str) -> str:
    """The hash of the content of a reference in a folder."""
    with session(folder):
        return code("thing", name).sha256


def run_of(folder: Path, label: str = "default") -> Path:
    """The folder of a row's run."""
    rows = json.loads((folder / "out" / "manifest.json").read_bytes())["rows"]
    (run,) = [row["runs"][0]["id"] for row in rows if row["label"] == label]
    return folder / "out" / "runs" / str(run)


def record(run: Path) -> Any:
    return json.loads((run / "record.json").read_bytes())


def said_by(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """What a command says that refuses, in one line."""
    assert main(arguments) == 2
    said = capsys.readouterr().err.splitlines()[-1]
    return said.removeprefix("qbench: ")


def plan_of(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> Plan:
    """The plan that `qbench plan` would print."""
    plans: list[Plan] = []
    name = "qbench.planning.forecast.print_forecast"
    monkeypatch.setattr(name, lambda plan, *_: plans.append(plan))
    assert main(["plan", "study=digits", *arguments]) == 0
    return plans[0]
