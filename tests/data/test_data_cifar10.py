"""CIFAR-10 in its two layouts, damaged files, and pickles that want to run something."""

from __future__ import annotations

import builtins
import os
import pickle
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import data_files as files
import numpy as np
import pytest

from qbench.base.errors import QbenchError
from qbench.data import DATASETS, cifar10, load
from qbench.data.cifar10 import read, read_binary, read_python

N = 4
LAYOUTS = ["bin", "py", "py2"]
FOLDERS = {"bin": "cifar-10-batches-bin", "py": "cifar-10-batches-py", "py2": "cifar-10-batches-py"}


def _images(pixels: Any) -> Any:
    """Images from planes, one pixel at a time."""
    images = np.zeros((len(pixels), 32, 32, 3), np.uint8)
    for channel in range(3):
        for row in range(32):
            start = 1024 * channel + 32 * row
            images[:, row, :, channel] = pixels[:, start : start + 32]
    return images


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("inside", [False, True], ids=["itself", "sub-folder"])
def test_every_layout_gives_the_same_arrays(tmp_path: Path, layout: str, inside: bool) -> None:
    folder = tmp_path / FOLDERS[layout] if inside else tmp_path
    folder.mkdir(exist_ok=True)
    parts = files.write_cifar(folder, N, layout)
    train, labels, test, test_labels = read(tmp_path, records=N)
    np.testing.assert_array_equal(train, np.concatenate([_images(p) for p, _ in parts[:5]]))
    np.testing.assert_array_equal(labels, np.concatenate([made for _, made in parts[:5]]))
    np.testing.assert_array_equal(test, _images(parts[5][0]))
    np.testing.assert_array_equal(test_labels, parts[5][1])
    assert (train.dtype, train.shape) == (np.uint8, (5 * N, 32, 32, 3))


def test_the_python_2_file_is_a_true_pickle() -> None:
    """The hand-made file against Python's own unpickler."""
    pixels, labels = files.cifar_planes(N)
    batch = pickle.loads(files.cifar_python2(pixels, labels), encoding="bytes")
    np.testing.assert_array_equal(batch[b"data"], pixels)
    assert batch[b"labels"] == list(labels)


def test_channels_are_red_green_blue_and_rows_run_down(tmp_path: Path) -> None:
    """One image: all red but for a green pixel at the top right and a blue one at bottom left."""
    planes = np.zeros((3, 32, 32), np.uint8)
    planes[0] = 200
    planes[:, 0, 31] = (0, 100, 0)
    planes[:, 31, 0] = (0, 0, 50)
    raw = files.cifar_binary(planes.reshape(1, 3072), [7])
    (tmp_path / "one.bin").write_bytes(raw)
    images, labels = read_binary(tmp_path / "one.bin", 1)
    assert labels.tolist() == [7]
    assert images[0, 0, 0].tolist() == [200, 0, 0]
    assert images[0, 0, 31].tolist() == [0, 100, 0]
    assert images[0, 31, 0].tolist() == [0, 0, 50]


@pytest.mark.parametrize("change", [-1, 1, -3073, 3073], ids=str)
def test_a_binary_file_of_another_length_is_named(tmp_path: Path, change: int) -> None:
    raw = files.cifar_binary(*files.cifar_planes(N))
    path = tmp_path / "data_batch_1.bin"
    path.write_bytes(raw[:change] if change < 0 else raw + raw[:change])
    with pytest.raises(QbenchError) as error:
        read_binary(path, N)
    assert f"{path}: {3073 * N + change:,} bytes; expected {3073 * N:,}" in str(error.value)


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.999])
@pytest.mark.parametrize("layout", ["py", "py2"])
def test_a_truncated_pickle_is_named(tmp_path: Path, layout: str, share: float) -> None:
    encode = {"py": files.cifar_python, "py2": files.cifar_python2}[layout]
    raw = encode(*files.cifar_planes(N))
    path = tmp_path / "data_batch_1"
    path.write_bytes(raw[: int(share * len(raw))])
    with pytest.raises(QbenchError) as error:
        read_python(path, N)
    assert str(path) in str(error.value)
    assert "expected a batch of CIFAR-10's Python version" in str(error.value)


PIXELS, LABELS = files.cifar_planes(N)
GOOD = {b"data": PIXELS, b"labels": LABELS.tolist()}
WRONG_BATCHES: list[tuple[str, Any]] = [
    ("no dictionary", [1, 2]),
    ("no labels", {b"data": PIXELS}),
    ("no data", {b"labels": LABELS.tolist()}),
    ("fewer images", GOOD | {b"data": PIXELS[:-1]}),
    ("fewer labels", GOOD | {b"labels": LABELS.tolist()[:-1]}),
    ("other pixels", GOOD | {b"data": PIXELS.astype(np.int64)}),
    ("other shape", GOOD | {b"data": PIXELS.reshape(N, 3, 1024)}),
    ("labels are text", GOOD | {b"labels": ["cat"] * N}),
    ("labels are fractions", GOOD | {b"labels": [0.5] * N}),
    ("one label", GOOD | {b"labels": 3}),
]


@pytest.mark.parametrize("batch", [c[1] for c in WRONG_BATCHES], ids=[c[0] for c in WRONG_BATCHES])
def test_a_pickle_that_is_no_batch_is_named(tmp_path: Path, batch: Any) -> None:
    path = tmp_path / "data_batch_1"
    path.write_bytes(pickle.dumps(batch, protocol=2))
    with pytest.raises(QbenchError) as error:
        read_python(path, N)
    assert str(path) in str(error.value)
    assert "expected" in str(error.value)


class _Runs:
    """Pickles to a call of `function` with `argument`."""

    def __init__(self, function: Any, argument: str) -> None:
        self.call = (function, (argument,))

    def __reduce__(self) -> Any:
        return self.call


@pytest.mark.parametrize("protocol", [0, 2, 4])
@pytest.mark.parametrize("function", [os.system, builtins.eval, builtins.exec, builtins.getattr])
def test_a_pickle_that_runs_something_is_refused(
    tmp_path: Path, function: Any, protocol: int
) -> None:
    marker = tmp_path / "executed"
    argument = f"open({str(marker)!r}, 'w').close()"
    if function is os.system:
        argument = f"touch '{marker}'"
    path = tmp_path / "data_batch_1"
    raw = pickle.dumps({b"data": _Runs(function, argument), b"labels": []}, protocol)
    path.write_bytes(raw)
    with pytest.raises(QbenchError, match=rf"asks for \w+\.{function.__name__}, .* was not read"):
        read_python(path, N)
    assert not marker.exists()


def test_the_malicious_pickle_of_these_tests_would_run(tmp_path: Path) -> None:
    """Else its refusal would show nothing."""
    marker = tmp_path / "executed"
    pickle.loads(pickle.dumps(_Runs(os.system, f"touch '{marker}'"), 2))
    assert marker.exists()


def test_a_refused_pickle_is_named(tmp_path: Path) -> None:
    path = tmp_path / "data_batch_1"
    path.write_bytes(pickle.dumps(_Runs(os.system, "true"), 2))
    with pytest.raises(QbenchError) as error:
        read_python(path, N)
    assert str(path) in str(error.value)


@pytest.mark.parametrize("layout", ["bin", "py"])
@pytest.mark.parametrize("name", ["data_batch_1", "data_batch_5"])
def test_a_missing_training_file_is_named(tmp_path: Path, name: str, layout: str) -> None:
    files.write_cifar(tmp_path, N, layout)
    path = tmp_path / (name + (".bin" if layout == "bin" else ""))
    path.unlink()
    with pytest.raises(QbenchError) as error:
        read(tmp_path, records=N)
    assert f"{path}: cannot be read" in str(error.value)


def test_a_folder_without_a_test_batch_is_named(tmp_path: Path) -> None:
    with pytest.raises(QbenchError) as error:
        read(tmp_path, records=N)
    assert str(error.value).startswith(f"{tmp_path}: holds neither test_batch.bin")


@pytest.fixture
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    """The registered data set, with files of N records."""
    source = replace(DATASETS["cifar10"], read=partial(read, records=N))
    monkeypatch.setitem(DATASETS._items, "cifar10", source)


@pytest.mark.usefixtures("_small")
@pytest.mark.parametrize("layout", ["bin", "py"])
def test_a_wrong_label_is_refused(tmp_path: Path, layout: str) -> None:
    files.write_cifar(tmp_path, N, layout)
    pixels, labels = files.cifar_planes(N)
    labels[1] = 10
    if layout == "bin":
        (tmp_path / "data_batch_3.bin").write_bytes(files.cifar_binary(pixels, labels))
    else:
        (tmp_path / "data_batch_3").write_bytes(files.cifar_python(pixels, labels))
    with pytest.raises(QbenchError, match=r"training labels from 0 to 10; expected 0 to 9"):
        load("cifar10", str(tmp_path))


@pytest.mark.usefixtures("_small")
def test_all_layouts_have_one_hash(tmp_path: Path) -> None:
    hashes = set()
    for layout in LAYOUTS:
        (tmp_path / layout).mkdir()
        files.write_cifar(tmp_path / layout, N, layout)
        data = load("cifar10", str(tmp_path / layout))
        hashes.add(data.hash)
        assert (data.task.outputs, data.flip, data.provenance) == (10, True, "")
    assert len(hashes) == 1


def test_the_official_size_is_asked_for_by_default(tmp_path: Path) -> None:
    files.write_cifar(tmp_path, N, "bin")
    with pytest.raises(QbenchError, match=r"expected 30,730,000, 10,000 records of 3,073 bytes"):
        load("cifar10", str(tmp_path))


def test_without_a_folder_keras_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    pixels, labels = files.cifar_planes(N)
    half = (_images(pixels), labels[:, np.newaxis])
    monkeypatch.setattr(cifar10, "through_keras", lambda name: (half, half))
    load.cache_clear()
    data = load("cifar10", None)
    load.cache_clear()
    np.testing.assert_array_equal(data.train_images, _images(pixels))
    assert data.train_labels.tolist() == data.test_labels.tolist() == labels.tolist()
