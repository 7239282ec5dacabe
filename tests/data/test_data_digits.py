"""The digits that come with qbench."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from qbench.base.errors import QbenchError
from qbench.data import DATASETS, digits, download, load


def test_counts_shapes_and_kinds() -> None:
    data = load("digits", None)
    assert data.train_images.shape == (1198, 8, 8, 1)
    assert data.test_images.shape == (599, 8, 8, 1)
    assert data.train_images.dtype == data.test_images.dtype == np.uint8
    assert data.train_labels.dtype == data.test_labels.dtype == np.int64
    assert (data.name, data.task.outputs, data.flip) == ("digits", 10, False)


def test_pixels_span_all_of_uint8() -> None:
    data = load("digits", None)
    everything = np.concatenate([data.train_images, data.test_images])
    assert (everything.min(), everything.max()) == (0, 255)
    assert len(np.unique(everything)) == 17


def test_a_third_of_each_class_is_held_out() -> None:
    data = load("digits", None)
    test = np.bincount(data.test_labels, minlength=10)
    whole = test + np.bincount(data.train_labels, minlength=10)
    np.testing.assert_array_less(np.abs(test - whole * (599 / 1797)), 1.0)


def test_the_two_parts_are_all_the_digits() -> None:
    data, bunch = load("digits", None), load_digits()
    images = np.concatenate([data.train_images, data.test_images])[..., 0]
    labels = np.concatenate([data.train_labels, data.test_labels])
    mine = sorted((int(k), image.tobytes()) for k, image in zip(labels, images, strict=True))
    theirs = sorted(
        (int(k), np.rint(image / 16 * 255).astype(np.uint8).tobytes())
        for k, image in zip(bunch.target, bunch.images, strict=True)
    )
    assert mine == theirs


def test_the_split_is_fixed() -> None:
    load.cache_clear()
    first = load("digits", None)
    load.cache_clear()
    second = load("digits", None)
    assert first is not second
    assert first.hash == second.hash
    assert first.hash.startswith("d53a0d42f46b")


def test_images_and_split_are_those_of_scikit_learn() -> None:
    bunch = load_digits()
    images = np.rint(bunch.images[..., np.newaxis] * (255 / 16)).astype(np.uint8)
    places = train_test_split(
        np.arange(len(images)), test_size=599, stratify=bunch.target, random_state=0
    )
    train_images, train_labels, test_images, test_labels = digits.read(None)
    np.testing.assert_array_equal(train_images, images[places[0]])
    np.testing.assert_array_equal(train_labels, bunch.target[places[0]])
    np.testing.assert_array_equal(test_images, images[places[1]])
    np.testing.assert_array_equal(test_labels, bunch.target[places[1]])


def test_another_file_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    other = tmp_path / "digits.npz"
    other.write_bytes(digits.FILE.read_bytes() + b" ")
    monkeypatch.setattr(digits, "FILE", other)
    with pytest.raises(QbenchError, match="not the file that comes with qbench; install qbench"):
        digits.read(None)


def test_a_folder_is_a_mistake(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("digits")
    with pytest.raises(QbenchError, match=r"data\.dir is set, but the digits come with"):
        load("digits", str(folder))


def test_unknown_data_set() -> None:
    with pytest.raises(QbenchError, match=r"data\.name=digit is not known.*'digits'"):
        load("digit", None)


@pytest.mark.parametrize(
    ("name", "shape", "flip"),
    [
        ("digits", (8, 8, 1), False),
        ("mnist", (28, 28, 1), False),
        ("fashion_mnist", (28, 28, 1), True),
        ("cifar10", (32, 32, 3), True),
    ],
)
def test_what_the_registry_promises(name: str, shape: tuple[int, ...], flip: bool) -> None:
    source = DATASETS[name]
    assert (source.shape, source.flip, source.classes) == (shape, flip, 10)


def test_a_failed_download_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    from keras.datasets import mnist

    def fail() -> None:
        raise Exception("URL fetch failure")

    monkeypatch.setattr(mnist, "load_data", fail)
    with pytest.raises(QbenchError, match=r"mnist.*URL fetch failure.*data\.dir"):
        download.through_keras("mnist")
