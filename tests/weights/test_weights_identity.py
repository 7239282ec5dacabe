"""What of trained weights is in the identity of a run: their content, not their place."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from qbench.base.errors import QbenchError
from qbench.base.outside import given_file, session
from qbench.config.experiment import Experiment
from qbench.engine.spec import check_code
from qbench.planning.code import hashes_of
from qbench.planning.identity import identity, phases

CONFIG: dict[str, Any] = {
    "data": {"name": "digits"},
    "model": {"name": "resnet_v1", "blocks": 1},
    "quant": {"delay": 0.5},
    "train": {
        "steps": 8,
        "batch_size": 16,
        "learning_rate": 0.05,
        "optimizer": {"name": "sgd"},
        "schedule": {"name": "constant"},
    },
    "eval": {},
}


def _experiment(**model: Any) -> Experiment:
    chosen = {**CONFIG["model"], **model}
    if chosen["name"] == "keras_file":
        del chosen["blocks"]
    return Experiment.from_config({**CONFIG, "model": chosen})


def _text(folder: Path, **model: Any) -> str:
    with session(folder):
        one = _experiment(**model)
        return json.dumps([identity(one), [phase.content for phase in phases(one, None)]])


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """Two folders with the same file under other names, and a run."""
    for name in ("a.keras", "more/b.h5", "run/model.weights.h5"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"weights")
    (tmp_path / "other.keras").write_bytes(b"other weights")
    return tmp_path


def test_the_content_counts_not_the_place(files: Path) -> None:
    first = _text(files, weights="a.keras")
    for same in ("more/b.h5", "run", str(files / "a.keras"), "./more/../a.keras"):
        assert _text(files, weights=same) == first, same
    assert _text(files, weights="other.keras") != first
    (files / "a.keras").write_bytes(b"weights!")
    assert _text(files, weights="a.keras") != first


def test_a_saved_network_counts_with_its_content(files: Path) -> None:
    first = _text(files, name="keras_file", file="a.keras")
    assert _text(files, name="keras_file", file="more/b.h5") == first
    others = (
        {"file": "other.keras"},
        {"file": "a.keras", "weights": "none"},
        {"file": "a.keras", "weights": "other.keras"},
        {"file": "a.keras", "head": "new"},
    )
    texts = [_text(files, name="keras_file", **other) for other in others]
    assert len({first, *texts}) == 5


def test_settings_without_an_effect_do_not_count(files: Path) -> None:
    plain = _text(files)
    assert _text(files, weights="none") == plain
    assert _text(files, head="new") == plain
    assert _text(files, weights_strict=False) == plain
    trained = _text(files, weights="a.keras")
    assert _text(files, weights="a.keras", weights_strict=True) == trained
    assert _text(files, weights="a.keras", weights_strict=False) != trained
    assert _text(files, weights="a.keras", head="new") != trained
    assert _text(files, freeze=["stem"]) != plain
    assert _text(files, freeze=["b", "a", "b"]) == _text(files, freeze=["a", "b"])
    assert _text(files, freeze="a") == _text(files, freeze=["a"])


def test_a_command_reads_a_file_once_and_sees_a_change(files: Path) -> None:
    with session(files):
        before = hashes_of(_experiment(weights="a.keras"))
        given = given_file("model.weights", "a.keras")
        assert given.content() == b"weights"
        (files / "a.keras").write_bytes(b"others!")
        assert hashes_of(_experiment(weights="a.keras")) == before
        with pytest.raises(QbenchError, match="has changed since the command began"):
            given.content()
    with session(files):
        after = hashes_of(_experiment(weights="a.keras"))
    with pytest.raises(QbenchError) as error:
        check_code(before, after)
    assert str(error.value) == "model.weights=a.keras: the file is not that planned with."


@pytest.mark.parametrize(
    ("model", "says"),
    [
        ({"weights": "missing.keras"}, "model.weights=missing.keras: no such file ("),
        ({"weights": "more"}, "model.weights=more: the folder has no file model.weights.h5"),
        ({"name": "keras_file", "file": "none.keras"}, "model.file=none.keras: no such file ("),
    ],
)
def test_a_missing_file_is_named(files: Path, model: dict[str, Any], says: str) -> None:
    with pytest.raises(QbenchError) as error:
        _text(files, **model)
    assert str(error.value).startswith(says)


def test_only_an_application_has_weights_of_imagenet() -> None:
    for name in ("resnet_v1", "keras_file"):
        with pytest.raises(QbenchError, match="imagenet: only model=keras_application has such"):
            _experiment(name=name, weights="imagenet")
    assert _experiment(name="keras_application", weights="imagenet").model.begins_trained
