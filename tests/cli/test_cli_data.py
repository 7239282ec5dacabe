"""A data set of a user's own: its labels and images in other forms, a reader that fails."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from qbench.cli.main import main
from qbench.data import DATASETS, Source, load


def _register(monkeypatch: pytest.MonkeyPatch, read: Callable[[Any], Any]) -> None:
    source = Source((8, 8, 1), 10, flip=False, read=read, known={})
    monkeypatch.setitem(DATASETS._items, "mine", source)
    load.cache_clear()


def _column(folder: Any) -> Any:
    """The digits as other tools hold them: columns of small labels, images as floats or lists."""
    train, labels, test, test_labels = DATASETS["digits"].read(None)
    train = train[..., 0].astype(np.float64)
    return (train, labels[:, np.newaxis].astype(np.uint8)), (test.tolist(), np.eye(10)[test_labels])


def test_labels_in_a_column_train(
    tmp_path: Path, tiny: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = load("digits", None).hash
    _register(monkeypatch, _column)
    assert main(["train", *tiny, "data.name=mine", f"out={tmp_path}"]) == 0
    (record,) = [json.loads(path.read_text()) for path in tmp_path.glob("runs/*/record.json")]
    assert (record["status"], record["data"]["hash"]) == ("ok", wanted)


def _scaled(folder: Any) -> Any:
    train, labels, test, test_labels = DATASETS["digits"].read(None)
    return train / 255, labels, test / 255, test_labels


def _raising(folder: Any) -> Any:
    raise KeyError("images")


@pytest.mark.parametrize("verb", ["train", "sweep"])
@pytest.mark.parametrize(
    ("read", "says"),
    [
        (_scaled, "the training images are float64 of shape (1198, 8, 8, 1) with values from 0.0"),
        (_raising, f"its reader failed at {__file__}:{_raising.__code__.co_firstlineno + 1} (KeyE"),
    ],
    ids=["scaled", "raising"],
)
def test_other_data_are_one_sentence_before_anything_trains(
    verb: str,
    read: Callable[[Any], Any],
    says: str,
    tmp_path: Path,
    tiny: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    _register(monkeypatch, read)
    assert main([verb, *tiny, "data.name=mine", f"out={tmp_path}"]) == 2
    said = capsys.readouterr().err
    assert f"qbench: mine: {says}" in said
    assert "Traceback" not in said
    assert not list(tmp_path.glob("runs/*"))
