"""Runs with validation images: what they are trained on, shared steps, checkpoints, records."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from engine_examples import digits, do, experiment, jobs, nothing, resolved, silent, weights

from qbench.base.errors import QbenchError
from qbench.data import DATASETS, load, split
from qbench.data.validation import validation_indices
from qbench.engine.execute import execute
from qbench.engine.finished import bring_back
from qbench.engine.single import single_job
from qbench.engine.verify import train_alone
from qbench.models import MODELS
from qbench.storage import layout, records
from qbench.tasks.classification import Classification
from qbench.training.inference import run_images

PART: dict[str, Any] = {"data.validation": 0.1}
ROWS: list[dict[str, Any]] = [
    {},
    PART,
    {**PART, "quant.bits": 4},
    {"data.validation": 300, "data.validation_seed": 1},
]
IDS = [" ".join(map(str, row.values())) or "none" for row in ROWS]
PARTS = pytest.mark.parametrize("number", range(1, len(ROWS)), ids=IDS[1:])


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Path, int]:
    """(resolved rows, folder, steps trained)."""
    root = tmp_path_factory.mktemp("shared")
    work = resolved(*ROWS)
    return work, root, sum(do(job) for job in jobs(work, root))


def _record(shared: tuple[Any, Path, int], number: int) -> dict[str, Any]:
    return records.read_record(layout.run_folder(shared[1], shared[0].ids[number]))


@PARTS
def test_shared_steps_give_the_bits_of_training_alone(shared: Any, number: int) -> None:
    work, root, _ = shared
    assert weights(root, work.ids[number]) == train_alone(work.plan.runs[number].experiment)


def test_only_rows_with_the_same_training_images_share_steps(shared: Any) -> None:
    """The second and third row share five float steps; all others have their own ten."""
    assert shared[2] == 4 * 10 - 5
    assert len({weights(shared[1], name) for name in shared[0].ids}) == len(ROWS)


def test_it_is_trained_as_on_data_that_have_only_the_other_images(
    shared: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = digits()
    rest = np.setdiff1d(np.arange(len(data.train_labels)), validation_indices(data, 0.1, 0))

    def read(folder: Path | None) -> Any:
        images, labels = data.train_images[rest], data.train_labels[rest]
        return images, labels, data.test_images, data.test_labels

    source = replace(DATASETS["digits"], read=read)
    monkeypatch.setitem(DATASETS._items, "rest", source)
    work = resolved({"data.name": "rest"})
    for job in jobs(work, tmp_path):
        do(job)
    assert weights(tmp_path, work.ids[0]) == weights(shared[1], shared[0].ids[1])
    found = records.read_record(layout.run_folder(tmp_path, work.ids[0]))
    assert found["metrics"] == _record(shared, 1)["metrics"]


@PARTS
def test_records_hold_the_metrics_on_these_images(shared: Any, number: int) -> None:
    chosen = experiment(ROWS[number])
    record, whole = _record(shared, number), load("digits", None)
    taken = validation_indices(whole, chosen.data.validation or 0, chosen.data.validation_seed)
    run = bring_back(layout.run_folder(shared[1], shared[0].ids[number]), {})
    outputs = run_images(run.network, chosen, whole.train_images[taken])
    assert record["validation"] == {
        "images": len(taken),
        "seed": chosen.data.validation_seed,
        "metrics": whole.task.checked_score(outputs, whole.train_labels[taken]),
    }
    data = record["data"]
    found = data["train_images"], data["validation_images"], data["test_images"]
    assert found == (1198, len(taken), 100)
    assert data["hash"] == whole.hash


def test_records_without_the_part_say_nothing_of_it(shared: Any) -> None:
    record = _record(shared, 0)
    assert "validation" not in record and "validation_images" not in record["data"]
    assert list(record["data"]) == ["name", "hash", "note", "train_images", "test_images", "task"]


def test_rows_and_seeds_are_compared_on_the_same_images() -> None:
    rows = [PART, {**PART, "quant.bits": 4}, {**PART, "seed": 1, "model.width": 8}]
    parts = [split(digits(), experiment(row).data) for row in rows]
    assert all(part is parts[0] for part in parts)


def test_another_division_than_the_planned_one_is_refused(
    shared: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The metrics would be those of images that the run was trained on."""
    spec = single_job(experiment({**PART, "seed": 5}), tmp_path, shared[0].device)
    monkeypatch.setattr(Classification, "strata", lambda self, targets: targets // 2)
    said = "^data.validation=0.1: task classification now chooses other images of the same data"
    with pytest.raises(QbenchError, match=said):
        execute(spec, nothing, silent)
    with pytest.raises(QbenchError, match=said):
        bring_back(layout.run_folder(shared[1], shared[0].ids[1]), {})


class Stopped(BaseException):
    """Like a kill, but caught by the test."""


def test_going_on_from_a_checkpoint_changes_nothing(shared: Any, tmp_path: Path) -> None:
    spec = single_job(experiment({**PART, "train.checkpoint_every": 2}), tmp_path, shared[0].device)
    assert spec.runs[0].id == shared[0].ids[1]
    done = []

    def report(new: int, loss: float) -> None:
        done.append(new)
        if sum(done) >= 8:
            raise Stopped

    with pytest.raises(Stopped):
        execute(spec, report, silent)
    assert do(spec) < 10
    found = records.read_record(layout.run_folder(tmp_path, spec.runs[0].id))
    expected = _record(shared, 1)
    for key in ("weights_sha256", "metrics", "validation"):
        assert found[key] == expected[key]


class Reciprocal(keras.layers.Layer):
    """1 / (x + 1)."""

    def call(self, x: Any) -> Any:
        return 1 / (x + 1)


def reciprocal(shape: Any, classes: int, **others: Any) -> Any:
    """A dense layer on the reciprocal of the mean pixel; infinite for black images."""
    image = keras.Input(shape)
    x = Reciprocal()(keras.layers.GlobalAveragePooling2D()(image))
    return keras.Model(image, keras.layers.Dense(classes)(x))


@pytest.fixture
def black(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Digits whose validation images are black, and a network that cannot read black images."""
    data = digits()

    def read(folder: Path | None) -> Any:
        images = np.maximum(data.train_images, 1)
        images[validation_indices(data, 0.1, 0)] = 0
        return images, data.train_labels, np.maximum(data.test_images, 1), data.test_labels

    monkeypatch.setitem(DATASETS._items, "black", replace(DATASETS["digits"], read=read))
    monkeypatch.setitem(MODELS._items, "resnet_v1", reciprocal)
    yield
    load.cache_clear()


def test_outputs_that_are_not_finite_there_are_a_divergence(black: None, tmp_path: Path) -> None:
    small = {"model.width": 5, "train.learning_rate": 1e-9, "train.steps": 2}
    row = {"data.name": "black", "data.preprocessing": "inception", "quant.enabled": False}
    work = resolved({**PART, **row, **small})
    for job in jobs(work, tmp_path):
        do(job)
    record = records.read_record(layout.run_folder(tmp_path, work.ids[0]))
    said = "the evaluation on the validation images gave logits that are not finite"
    assert (record["status"], record["error"]) == ("diverged", {"message": said})
    assert record["metrics"] is record["validation"]["metrics"] is None
