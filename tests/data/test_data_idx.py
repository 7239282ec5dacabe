"""MNIST's files: the IDX format, and what is said when one is damaged."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path
from typing import Any

import data_files as files
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from qbench.base.errors import QbenchError
from qbench.data import idx, load
from qbench.data.idx import read_idx


@pytest.mark.parametrize("gz", [False, True], ids=["plain", "gz"])
@pytest.mark.parametrize("name", ["mnist", "fashion_mnist"])
def test_four_files_are_read(tmp_path: Path, name: str, gz: bool) -> None:
    wanted = files.mnist_arrays()
    files.write_mnist(tmp_path, wanted, gz)
    data = load(name, str(tmp_path))
    np.testing.assert_array_equal(data.train_images[..., 0], wanted[files.TRAIN_IMAGES])
    np.testing.assert_array_equal(data.train_labels, wanted[files.TRAIN_LABELS])
    np.testing.assert_array_equal(data.test_images[..., 0], wanted[files.TEST_IMAGES])
    np.testing.assert_array_equal(data.test_labels, wanted[files.TEST_LABELS])
    assert data.train_images.shape == (5, 28, 28, 1)
    assert (data.train_images.dtype, data.train_labels.dtype) == (np.uint8, np.int64)
    assert (data.name, data.task.outputs, data.flip) == (name, 10, name == "fashion_mnist")


def test_plain_and_gzipped_files_are_the_same_data(tmp_path: Path) -> None:
    hashes = set()
    for gz in (False, True):
        folder = tmp_path / str(gz)
        folder.mkdir()
        files.write_mnist(folder, files.mnist_arrays(), gz)
        hashes.add(load("mnist", str(folder)).hash)
    assert len(hashes) == 1


@pytest.mark.parametrize("name", list(files.mnist_arrays()))
def test_every_array_counts_for_the_hash(tmp_path: Path, name: str) -> None:
    wanted, hashes = files.mnist_arrays(), []
    for changed in (False, True):
        if changed:
            wanted[name].flat[0] = (int(wanted[name].flat[0]) + 1) % 10
        folder = tmp_path / str(changed)
        folder.mkdir()
        files.write_mnist(folder, wanted)
        hashes.append(load("mnist", str(folder)).hash)
    assert hashes[0] != hashes[1]


@given(array=arrays(np.uint8, array_shapes(min_dims=1, max_dims=3, max_side=6)))
def test_reading_undoes_writing(tmp_path_factory: pytest.TempPathFactory, array: Any) -> None:
    path = tmp_path_factory.mktemp("idx") / "array"
    path.write_bytes(files.idx_bytes(array))
    np.testing.assert_array_equal(read_idx(path, array.ndim), array)


@given(length=st.integers(0, 4 + 12 + 7), gz=st.booleans())
def test_a_truncated_file_is_refused_wherever_it_ends(
    tmp_path_factory: pytest.TempPathFactory, length: int, gz: bool
) -> None:
    raw = files.idx_bytes(np.arange(8).reshape(2, 2, 2))[:length]
    path = tmp_path_factory.mktemp("idx") / ("cut.gz" if gz else "cut")
    path.write_bytes(gzip.compress(raw) if gz else raw)
    with pytest.raises(QbenchError) as error:
        read_idx(path, 3)
    assert str(path) in str(error.value)


@pytest.mark.parametrize("share", [0.01, 0.2, 0.5, 0.9, 0.99])
def test_a_truncated_gzip_file_is_refused(tmp_path: Path, share: float) -> None:
    raw = gzip.compress(files.idx_bytes(files.mnist_arrays()[files.TRAIN_IMAGES]))
    path = tmp_path / "images.gz"
    path.write_bytes(raw[: max(1, int(share * len(raw)))])
    with pytest.raises(QbenchError) as error:
        read_idx(path, 3)
    assert str(path) in str(error.value)
    assert "expected an IDX file" in str(error.value)


GOOD = files.idx_bytes(np.zeros((2, 3, 4)))
DAMAGED: list[tuple[str, bytes, str]] = [
    ("wrong magic", b"\x01" + GOOD[1:], "not an IDX file of unsigned bytes with 3 dimension(s)"),
    ("not an IDX file", b"hello, this is text", "not an IDX file"),
    ("empty", b"", "not an IDX file of unsigned bytes with 3 dimension(s)"),
    ("floats", files.idx_bytes(np.zeros((2, 3, 4)), kind=13), "unsigned bytes"),
    ("one dimension", files.idx_bytes(np.zeros(24)), "with 3 dimension(s)"),
    ("four dimensions", files.idx_bytes(np.zeros((2, 3, 2, 2))), "with 3 dimension(s)"),
    ("a byte less", GOOD[:-1], "23 values after the header; its shape (2, 3, 4) says 24"),
    ("a byte more", GOOD + b"\x00", "25 values after the header; its shape (2, 3, 4) says 24"),
    (
        "header of 2^64 values",
        bytes([0, 0, 8, 3]) + struct.pack(">3I", 2**31, 2**31, 4),
        "0 values after the header",
    ),
]


@pytest.mark.parametrize(
    ("raw", "says"), [case[1:] for case in DAMAGED], ids=[case[0] for case in DAMAGED]
)
@pytest.mark.parametrize("gz", [False, True], ids=["plain", "gz"])
def test_a_damaged_file_is_named(tmp_path: Path, raw: bytes, says: str, gz: bool) -> None:
    path = tmp_path / ("images.gz" if gz else "images")
    path.write_bytes(gzip.compress(raw) if gz else raw)
    with pytest.raises(QbenchError) as error:
        read_idx(path, 3)
    assert str(error.value).startswith(f"{path}: ")
    assert says in str(error.value)


@pytest.mark.parametrize("raw", [b"plain text", b"PK", b"\x1f\x8b\x08\x00" + b"\xff" * 40])
@pytest.mark.parametrize("name", ["images.gz", "images"])
def test_what_is_neither_idx_nor_gzipped_is_named(tmp_path: Path, raw: bytes, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(raw)
    with pytest.raises(QbenchError, match=r"images(\.gz)?: .*an IDX file"):
        read_idx(path, 3)


@pytest.mark.parametrize(
    ("name", "raw"),
    [("a.gz", GOOD), ("a", gzip.compress(GOOD)), ("a.bin", gzip.compress(GOOD))],
    ids=["plain", "gzipped", "gzipped.bin"],
)
def test_the_bytes_say_whether_a_file_is_gzipped(tmp_path: Path, name: str, raw: bytes) -> None:
    (tmp_path / name).write_bytes(raw)
    assert read_idx(tmp_path / name, 3).shape == (2, 3, 4)


@pytest.mark.parametrize("name", list(files.mnist_arrays()))
def test_a_missing_file_is_named(tmp_path: Path, name: str) -> None:
    files.write_mnist(tmp_path, files.mnist_arrays())
    (tmp_path / name).unlink()
    with pytest.raises(QbenchError) as error:
        load("mnist", str(tmp_path))
    assert str(tmp_path / name) in str(error.value)
    assert "expected an IDX file" in str(error.value)


@pytest.mark.parametrize("folder", ["nothing/here", "a file"])
def test_a_missing_folder_is_named(tmp_path: Path, folder: str) -> None:
    (tmp_path / "a file").write_text("")
    with pytest.raises(QbenchError) as error:
        load("mnist", str(tmp_path / folder))
    assert f"data.dir={tmp_path / folder}: no such folder" in str(error.value)


@pytest.mark.parametrize(
    ("images", "labels", "part"),
    [
        (files.TRAIN_IMAGES, files.TRAIN_LABELS, "training"),
        (files.TEST_IMAGES, files.TEST_LABELS, "test"),
    ],
)
def test_as_many_labels_as_images(tmp_path: Path, images: str, labels: str, part: str) -> None:
    wanted = files.mnist_arrays()
    wanted[labels] = wanted[labels][:-1]
    files.write_mnist(tmp_path, wanted)
    count = len(wanted[images])
    with pytest.raises(QbenchError) as error:
        load("mnist", str(tmp_path))
    assert f"{count} {part} images and {count - 1} labels" in str(error.value)


def test_a_wrong_count_names_the_folder(tmp_path: Path) -> None:
    """As every message about data that are damaged, by `load`'s promise."""
    wanted = files.mnist_arrays()
    wanted[files.TRAIN_LABELS] = wanted[files.TRAIN_LABELS][:-1]
    files.write_mnist(tmp_path, wanted)
    with pytest.raises(QbenchError) as error:
        load("mnist", str(tmp_path))
    assert str(tmp_path) in str(error.value)


WRONG_ARRAYS: list[tuple[str, str, Any, str]] = [
    (
        "size",
        files.TEST_IMAGES,
        np.zeros((3, 28, 27)),
        "the test images are uint8 of shape (3, 28, 27); expected",
    ),
    ("none", files.TEST_IMAGES, np.zeros((0, 28, 28)), "0 test images and 3 labels"),
    ("label", files.TRAIN_LABELS, [0, 1, 2, 3, 10], "training labels from 0 to 10; expected 0"),
]


@pytest.mark.parametrize(
    ("name", "array", "says"), [c[1:] for c in WRONG_ARRAYS], ids=[c[0] for c in WRONG_ARRAYS]
)
def test_arrays_that_are_not_of_this_data_set(
    tmp_path: Path, name: str, array: Any, says: str
) -> None:
    files.write_mnist(tmp_path, files.mnist_arrays() | {name: array})
    with pytest.raises(QbenchError) as error:
        load("mnist", str(tmp_path))
    assert says in str(error.value)


def test_without_a_folder_keras_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = list(files.mnist_arrays().values())
    asked = []

    def download(name: str) -> Any:
        asked.append(name)
        return (wanted[0], wanted[1]), (wanted[2], wanted[3])

    monkeypatch.setattr(idx, "through_keras", download)
    load.cache_clear()
    data = load("fashion_mnist", None)
    load.cache_clear()
    assert asked == ["fashion_mnist"]
    assert (data.train_images.shape, data.test_images.shape) == ((5, 28, 28, 1), (3, 28, 28, 1))
    np.testing.assert_array_equal(data.train_labels, wanted[1])
