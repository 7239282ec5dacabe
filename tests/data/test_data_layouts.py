"""MNIST-like and CIFAR-10 files under the names and in the folders that are in use."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import data_files as files
import numpy as np
import pytest

from qbench.base.errors import QbenchError
from qbench.data import cifar10, load

SET = files.mnist_arrays()
NAMES = list(SET)


def _write(folder: Path, seed: int = 0, rename: Callable[[str], str] = str) -> None:
    """Four files, each at the path that `rename` makes of its published name."""
    for name, array in files.mnist_arrays(seed=seed).items():
        path = folder / rename(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        raw = files.idx_bytes(array)
        path.write_bytes(gzip.compress(raw) if path.suffix == ".gz" else raw)


def _check(folder: Path, name: str = "mnist", seed: int = 0) -> None:
    data, wanted = load(name, str(folder)), list(files.mnist_arrays(seed=seed).values())
    np.testing.assert_array_equal(data.train_images[..., 0], wanted[0])
    np.testing.assert_array_equal(data.train_labels, wanted[1])
    np.testing.assert_array_equal(data.test_images[..., 0], wanted[2])
    np.testing.assert_array_equal(data.test_labels, wanted[3])


def _refusal(folder: Path, name: str = "mnist") -> str:
    with pytest.raises(QbenchError) as error:
        load(name, str(folder))
    assert "\n" not in str(error.value)
    return str(error.value)


RENAMED: dict[str, Callable[[str], str]] = {
    "a dot": lambda name: name.replace("-idx", ".idx"),
    "a dot, gzipped": lambda name: name.replace("-idx", ".idx") + ".gz",
    "test for t10k": lambda name: name.replace("t10k", "test"),
    "underscores": lambda name: name.replace("-", "_"),
    "capitals": lambda name: name.upper() + ".GZ".lower(),
    "no code": lambda name: name.split("-idx")[0] + ".gz",
    "code at the end": lambda name: name.replace("-ubyte", "").replace("-idx", ".idx"),
    "EMNIST": lambda name: f"emnist-digits-{name.replace('t10k', 'test')}",
    "own name first": lambda name: f"MNIST_{name}",
}
NESTED: dict[str, Callable[[str], str]] = {
    "any name": lambda name: f"some folder/{name}",
    "raw": lambda name: f"raw/{name}.gz",
    "torchvision": lambda name: f"MNIST/raw/{name}",
    "torchvision, gzipped": lambda name: f"MNIST/raw/{name}.gz",
    "own name": lambda name: f"mnist/{name.replace('-idx', '.idx')}",
    "each in its own": lambda name: f"{name}/{name}",
    "each in its own, with a dot": lambda name: f"{name}/{name.replace('-idx', '.idx')}",
    "each in its own, one down": lambda name: f"archive/{name}/{name}",
    "by part": lambda name: f"{'train' if name in NAMES[:2] else 'test'}/{name}",
    "EMNIST": lambda name: f"gzip/emnist-mnist-{name}.gz",
}


@pytest.mark.parametrize("rename", [*RENAMED.values(), *NESTED.values()], ids=[*RENAMED, *NESTED])
def test_a_set_is_found(tmp_path: Path, rename: Callable[[str], str]) -> None:
    _write(tmp_path, rename=rename)
    _check(tmp_path)


def test_plain_and_gzipped_side_by_side(tmp_path: Path) -> None:
    """As torchvision leaves them; and once more in a folder for each, as in some archives."""
    for rename in (RENAMED["a dot"], RENAMED["a dot, gzipped"], NESTED["each in its own"]):
        _write(tmp_path / "MNIST" / "raw", rename=rename)
    _check(tmp_path)
    _check(tmp_path / "MNIST")
    _check(tmp_path / "MNIST" / "raw")


@pytest.mark.parametrize("name", NAMES)
def test_two_files_that_differ_are_both_named(tmp_path: Path, name: str) -> None:
    _write(tmp_path)
    other = tmp_path / f"{name}.gz"
    other.write_bytes(files.idx_bytes(files.mnist_arrays(seed=1)[name]))
    assert f"{tmp_path / name} and {other}: hold different values" in _refusal(tmp_path)


@pytest.mark.parametrize(
    ("one", "two"),
    [("a", "b"), ("MNIST/raw", "raw"), ("mnist", "MNIST/raw"), ("mnist", "processed")],
)
@pytest.mark.parametrize("seed", [0, 1], ids=["the same", "another"])
def test_two_folders_are_both_named(tmp_path: Path, one: str, two: str, seed: int) -> None:
    _write(tmp_path / one)
    _write(tmp_path / two, seed)
    said = _refusal(tmp_path)
    assert said.startswith(f"data.dir={tmp_path}: holds the four IDX files of mnist more than once")
    assert str(tmp_path / one) in said
    assert str(tmp_path / two) in said


def test_two_sets_in_a_folder_are_both_named(tmp_path: Path) -> None:
    for label in ("emnist-digits", "emnist-letters"):
        _write(tmp_path, rename=lambda name, label=label: f"{label}-{name}")  # type: ignore[misc]
    said = _refusal(tmp_path)
    assert f"{tmp_path / 'emnist-digits-'}... and {tmp_path / 'emnist-letters-'}..." in said


@pytest.mark.parametrize("seed", [0, 1])
def test_the_folder_itself_comes_first(tmp_path: Path, seed: int) -> None:
    _write(tmp_path, seed)
    _write(tmp_path / "older", 2)
    _check(tmp_path, seed=seed)


def test_a_link_is_no_second_folder(tmp_path: Path) -> None:
    _write(tmp_path / "mnist-2024")
    (tmp_path / "current").symlink_to("mnist-2024")
    _check(tmp_path)


def test_hidden_files_are_left_alone(tmp_path: Path) -> None:
    """As macOS puts them into archives, with other content."""
    _write(tmp_path / "mnist")
    for folder in (tmp_path / "mnist", tmp_path / "__MACOSX"):
        folder.mkdir(exist_ok=True)
        for name in NAMES:
            (folder / f"._{name}").write_bytes(b"Mac OS X")
    _write(tmp_path / ".trash", 1)
    _check(tmp_path)


@pytest.mark.parametrize(
    ("mnist", "fashion"),
    [
        ("MNIST/raw", "FashionMNIST/raw"),
        ("mnist", "fashion-mnist"),
        ("a", "fashion_mnist"),
        ("MNIST", "a"),
    ],
)
def test_the_name_chooses_between_two_sets(tmp_path: Path, mnist: str, fashion: str) -> None:
    _write(tmp_path / mnist, 0)
    _write(tmp_path / fashion, 1)
    if mnist != "a":
        _check(tmp_path, "fashion_mnist", 1)
    if fashion != "a":
        _check(tmp_path, "mnist", 0)


def test_the_name_chooses_between_two_sets_of_a_folder(tmp_path: Path) -> None:
    _write(tmp_path, 0, lambda name: f"mnist-{name}")
    _write(tmp_path, 1, lambda name: f"fashion-mnist-{name}")
    _check(tmp_path, "mnist", 0)
    _check(tmp_path, "fashion_mnist", 1)


@pytest.mark.parametrize("other", ["FashionMNIST/raw", "fashion-mnist", "Fashion_MNIST"])
def test_another_set_is_not_taken_for_mnist(tmp_path: Path, other: str) -> None:
    _write(tmp_path / other)
    assert "holds no IDX files of mnist" in _refusal(tmp_path)
    _check(tmp_path, "fashion_mnist")
    _check(tmp_path / other)  # named by the user, it is what the user says


def test_what_was_looked_for_is_listed(tmp_path: Path) -> None:
    (tmp_path / "mnist.pkl").write_bytes(b"")
    said = _refusal(tmp_path)
    assert said.startswith(f"data.dir={tmp_path}: holds no IDX files of mnist")
    for name in (*NAMES, "a dot", "test for t10k", "gzipped", "MNIST/raw"):
        assert name in said


@pytest.mark.parametrize("inside", ["", "raw", "MNIST/raw"])
@pytest.mark.parametrize("name", NAMES)
def test_a_file_that_is_missing_is_named_where_the_others_are(
    tmp_path: Path, name: str, inside: str
) -> None:
    place = tmp_path / inside
    _write(place, rename=lambda name: name.replace("-idx", ".idx"))
    (place / name.replace("-idx", ".idx")).unlink()
    assert f"{place / name}: no such file" in _refusal(tmp_path)


@pytest.mark.parametrize("most", ["a", "b", "c"])
def test_the_folder_with_most_of_the_files_is_the_one_that_lacks_some(
    tmp_path: Path, most: str
) -> None:
    for place in ("a", "b", "c"):
        _write(tmp_path / place)
        for name in NAMES[3:] if place == most else NAMES[1:]:
            (tmp_path / place / name).unlink()
    assert _refusal(tmp_path).startswith(f"{tmp_path / most / NAMES[3]}: no such file")


CIFAR_PLACES = ["deeper", "cifar-10-batches-bin", "cifar-10-batches-py", "CIFAR10"]


@pytest.mark.parametrize("place", CIFAR_PLACES)
@pytest.mark.parametrize("layout", ["bin", "py"])
def test_cifar_is_found_one_down(tmp_path: Path, place: str, layout: str) -> None:
    (tmp_path / place).mkdir()
    (tmp_path / "empty").mkdir()
    parts = files.write_cifar(tmp_path / place, 2, layout)
    labels: Any = cifar10.read(tmp_path, records=2)[3]
    assert list(labels) == list(parts[5][1])


def test_two_cifars_are_both_named(tmp_path: Path) -> None:
    for name, layout in (("one", "bin"), ("two", "py")):
        (tmp_path / name).mkdir()
        files.write_cifar(tmp_path / name, 2, layout)
    with pytest.raises(QbenchError) as error:
        cifar10.read(tmp_path, records=2)
    assert f"more than once, {tmp_path / 'one'} and {tmp_path / 'two'};" in str(error.value)
