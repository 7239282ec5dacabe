"""`data=tfds` with a builder that stands in for the library's."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from image_files import noise

from qbench.base import device
from qbench.base.errors import QbenchError
from qbench.data import DataChoice, load, source_of, tfds_builder


class Builder:
    """The parts of a builder that are used: 12 images of training, 6 of test."""

    def __init__(self, name: str, data_dir: str | None = None) -> None:
        if name != "mine":
            raise ValueError(f"Dataset {name} not found")
        self.data_dir = data_dir or "~/tensorflow_datasets"
        self.prepared = False
        image = SimpleNamespace(shape=(6, 8, 3))
        label = SimpleNamespace(num_classes=3, names=["a", "b", "c"])
        counts = {"train": 12, "test": 6}
        self.info = SimpleNamespace(features={"image": image, "label": label}, splits=counts)

    def download_and_prepare(self) -> None:
        self.prepared = True

    def as_dataset(self, split: str, shuffle_files: bool, as_supervised: bool) -> Any:
        assert not shuffle_files and not as_supervised
        if "+" in split:
            for part in split.split("+"):
                yield from self.as_dataset(part, shuffle_files, as_supervised)
            return
        first = {"train": 0, "test": 100}[split]
        for number in range(self.info.splits[split]):
            yield {"image": noise(first + number), "label": np.int64(number % 3), "id": b"x"}


@pytest.fixture(autouse=True)
def made(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Builder]]:
    """The builders that were made."""
    found: list[Builder] = []

    def builder(name: str, **named: Any) -> Builder:
        found.append(Builder(name, **named))
        return found[-1]

    library = SimpleNamespace(builder=builder, as_numpy=lambda rows: rows)
    monkeypatch.setitem(sys.modules, "tensorflow_datasets", library)
    monkeypatch.setattr(device, "import_tensorflow", lambda: None)
    monkeypatch.setattr(tfds_builder, "_apart", lambda function, *given: function(*given))
    load.cache_clear()
    yield found
    load.cache_clear()


def refused(**arguments: Any) -> str:
    load.cache_clear()
    with pytest.raises(QbenchError) as error:
        load("tfds", **arguments)
    return str(error.value)


def test_the_splits_are_the_parts(made: list[Builder], tmp_path: Path) -> None:
    data = load("tfds", str(tmp_path), dataset="mine")
    assert made[0].data_dir == str(tmp_path) and not made[0].prepared
    assert np.array_equal(data.train_images, np.stack([noise(k) for k in range(12)]))
    assert np.array_equal(data.test_images, np.stack([noise(100 + k) for k in range(6)]))
    assert data.train_labels.tolist() == [0, 1, 2] * 4
    assert (data.class_names, data.task.outputs) == (("a", "b", "c"), 3)


def test_one_split_is_divided_and_resized(made: list[Builder]) -> None:
    wanted = {"dataset": "mine", "splits": ["train"], "split": [0.5, 0.25, 0.25]}
    data = load("tfds", resolution=4, channels=1, fit="crop", download=True, **wanted)
    assert made[0].prepared
    assert data.train_images.shape == (6, 4, 4, 1)
    assert data.validation is not None and len(data.validation[0]) == len(data.test_images) == 3


def test_splits_are_put_together() -> None:
    data = load("tfds", dataset="mine", splits=["train+test", "test"])
    assert len(data.train_images) == 18
    assert "has no split dev" in refused(dataset="mine", splits=["train+dev", "test"])


def test_a_plan_reads_no_image(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Builder, "as_dataset", lambda *given, **named: pytest.fail("read"))
    source = source_of(DataChoice("tfds", arguments={"dataset": "mine"}))
    assert (source.shape, source.classes) == ((6, 8, 3), 3)


def _ends(*given: Any) -> Any:
    os._exit(1)


def test_it_is_read_in_a_process_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    found = tfds_builder._apart(os.getenv, "CUDA_VISIBLE_DEVICES")  # type: ignore[arg-type]
    assert found == "-1" != os.getenv("CUDA_VISIBLE_DEVICES")
    with pytest.raises(QbenchError, match=r"^mine: the process that reads it ended; perhaps"):
        tfds_builder._apart(_ends, "mine")


def test_mistakes_are_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    assert refused() == "data=tfds: data.dataset names the data set, such as data.dataset=cifar10."
    assert refused(dataset="other").startswith(
        "data.dataset=other: TensorFlow Datasets refuses it (ValueError: Dataset other not found)."
    )
    said = refused(dataset="mine", splits=["train", "dev"])
    assert "has no split dev in ~/tensorflow_datasets (it has train, test)" in said
    assert refused(dataset="mine", splits=["train"]).startswith("data.splits=['train']: expected")
    assert "data.damaged is not a setting of data=tfds" in refused(dataset="mine", damaged="skip")
    monkeypatch.setitem(sys.modules, "tensorflow_datasets", None)
    assert refused(dataset="mine").endswith("install it with: pip install 'qbench-qat[tfds]'.")


@pytest.mark.parametrize(
    ("features", "says"),
    [
        ({"image": 0, "mask": 0}, "its features are image, mask; expected image and label."),
        ({"image": 0, "label": SimpleNamespace()}, "its label is no class; expected one class"),
        (
            {
                "image": SimpleNamespace(shape=(None, None, 3)),
                "label": SimpleNamespace(num_classes=3),
            },
            "its images have several sizes; set data.resolution, for example data.resolution=64.",
        ),
    ],
)
def test_other_features_are_one_sentence(
    features: Any, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = Builder.__init__

    def other(self: Any, *given: Any, **named: Any) -> None:
        known(self, *given, **named)
        self.info.features = features

    monkeypatch.setattr(Builder, "__init__", other)
    assert says in refused(dataset="mine")
