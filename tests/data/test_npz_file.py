"""`data=npz`: arrays of numpy, which nobody has to trust."""

from __future__ import annotations

import io
import os
import pickle
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from image_files import noise

from qbench.base.errors import QbenchError
from qbench.config.groups import Data
from qbench.data import DataChoice, load, npz_archive, source_of, split

IMAGES = np.stack([noise(number, 4, 5) for number in range(12)])
LABELS = np.arange(12) % 3
USUAL = ("x_train", "y_train", "x_test", "y_test")
PARTS = {"x_train": IMAGES[:6], "y_train": LABELS[:6], "x_test": IMAGES[6:9], "y_test": LABELS[6:9]}
VALIDATION = {"x_val": IMAGES[9:], "y_val": LABELS[9:]}


@pytest.fixture(autouse=True)
def _nothing_kept() -> Iterator[None]:
    load.cache_clear()
    yield
    load.cache_clear()


def read(folder: Path, held: dict[str, Any], **arguments: Any) -> Any:
    np.savez(folder / "data.npz", **held)
    load.cache_clear()
    return load("npz", str(folder), **arguments)


def refused(folder: Path | None, **arguments: Any) -> str:
    load.cache_clear()
    with pytest.raises(QbenchError) as error:
        load("npz", folder and str(folder), **arguments)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_arrays_of_the_usual_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = read(tmp_path, PARTS)
    assert np.array_equal(data.train_images, IMAGES[:6])
    assert np.array_equal(data.test_labels, LABELS[6:9])
    assert (data.validation, data.task.outputs, data.flip) == (None, 3, True)
    others = ("train_images", "train_labels", "test_images", "test_labels")
    renamed = dict(zip(others, PARTS.values(), strict=True))
    assert read(tmp_path, renamed).hash == data.hash
    strange = dict(zip("abcd", PARTS.values(), strict=True))
    assert read(tmp_path, strange, arrays=list("abcd")).hash == data.hash
    monkeypatch.chdir(tmp_path)
    load.cache_clear()
    assert load("npz", file="data.npz", arrays=list("abcd")).hash == data.hash
    assert read(tmp_path, PARTS, flip=False).hash != data.hash


def test_a_validation_part(tmp_path: Path) -> None:
    data = read(tmp_path, PARTS | VALIDATION)
    assert np.array_equal(data.validation[0], IMAGES[9:])
    named = read(tmp_path, PARTS | VALIDATION, arrays=[*USUAL, "x_val", "y_val"])
    assert named.hash == data.hash


def test_a_validation_part_keeps_equal_images_together(tmp_path: Path) -> None:
    copies = np.concatenate([IMAGES[:3]] * 4)
    data = read(tmp_path, PARTS | {"x_train": copies, "y_train": np.zeros(12, int)})
    kept = split(data, Data(name="npz", validation=6))
    assert kept.validation is not None and len(kept.validation[0]) == 4
    parts = [
        {one.tobytes() for one in images} for images in (kept.train_images, kept.validation[0])
    ]
    assert [len(part) for part in parts] == [2, 1] and not parts[0] & parts[1]


def test_forms_of_images_and_labels(tmp_path: Path) -> None:
    grey = PARTS | {"x_train": IMAGES[:6, ..., 0], "x_test": IMAGES[6:9, ..., 0]}
    assert read(tmp_path, grey).train_images.shape == (6, 4, 5, 1)
    hot = PARTS | {"y_train": np.eye(5)[LABELS[:6]], "y_test": np.eye(5)[LABELS[6:9]]}
    assert read(tmp_path, hot).task.outputs == 5
    words = np.array(["cat", "dog", "a bird"])
    texts = PARTS | {"y_train": words[LABELS[:6]], "y_test": words[LABELS[6:9]]}
    data = read(tmp_path, texts)
    assert data.class_names == ("a bird", "cat", "dog")
    assert [data.class_names[label] for label in data.test_labels] == list(words[LABELS[6:9]])
    assert read(tmp_path, PARTS | {"class_names": words}).class_names == tuple(words)


@pytest.mark.parametrize("kind", ["U", "S"])
def test_texts_are_numbered_by_class_names(kind: str, tmp_path: Path) -> None:
    words = np.array(["cat", "dog", "a bird"]).astype(kind)
    named = read(tmp_path, PARTS | {"class_names": words})
    assert named.class_names == ("cat", "dog", "a bird")
    texts = {"y_train": words[LABELS[:6]], "y_test": words[LABELS[6:9]]}
    data = read(tmp_path, PARTS | texts | {"class_names": words})
    assert data.test_labels.tolist() == LABELS[6:9].tolist()
    assert (data.class_names, data.hash) == (named.class_names, named.hash)


def test_bytes_are_utf_8(tmp_path: Path) -> None:
    words = np.array([word.encode() for word in ("käfer", "dog", "a bird")])
    assert read(tmp_path, PARTS | {"class_names": words}).class_names[0] == "käfer"
    np.savez(tmp_path / "data.npz", **PARTS, class_names=np.array([b"\xff", b"b", b"c"]))
    assert refused(tmp_path).endswith("labels are bytes that are no UTF-8; expected texts.")


def test_a_plan_reads_no_images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read(tmp_path, PARTS)
    load.cache_clear()
    known, names = np.lib.npyio.NpzFile.__getitem__, []
    monkeypatch.setattr(
        np.lib.npyio.NpzFile, "__getitem__", lambda self, key: names.append(key) or known(self, key)
    )
    source = source_of(DataChoice("npz", str(tmp_path)))
    assert (source.shape, source.classes, names) == ((4, 5, 3), 3, ["y_train", "y_test"])


BAD: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "other names": ({"a": IMAGES}, {}, "it has a; expected x_train, y_train, x_test, y_test or t"),
    "a lacking name": (PARTS, {"arrays": [*USUAL[:3], "y"]}, "has no array y; it has x_test, x"),
    "channels first": (PARTS | {"x_train": IMAGES.transpose(0, 3, 1, 2).repeat(2, 3)}, {},
                       "the images x_train have the shape (12, 3, 4, 10); expected (N, height,"),
    "half a part": (PARTS | {"x_val": IMAGES}, {}, "has the array x_val and not both of x_val and"),
    "flat": (PARTS | {"x_train": IMAGES.reshape(12, -1)}, {}, "the images x_train have the sh"),
    "objects": (PARTS | {"y_test": np.array([{}, []], object)}, {}, "the array y_test.npy holds"),
    "dates": (PARTS | {"y_test": np.array(["2020-01-01"] * 3, "M8[D]")}, {},
              "labels are datetime64[D] of shape (3,); expected whole numbers from 0, one-hot"),
    "another number": (PARTS | {"y_test": LABELS}, {}, "the images x_test have the shape (3, 4, 5, "
                       "3) and the labels y_test the shape (12,); expected the same number of bot"),
    "another size": (PARTS | {"x_test": IMAGES[6:9, 1:]}, {}, "the images x_test have the shape (3,"
                     " 3, 5, 3), and those of the training part (6, 4, 5, 3); expected images of"),
    "everything": (PARTS | {"x_train": IMAGES[:6] / 255, "x_test": IMAGES[:2], "y_test":
                            np.array(list("abc")), "y_train": np.array(list("abdabd"))}, {},
                   "the images x_test have the shape (2, 4, 5, 3) and the labels y_test the shape "
                   "(3,); expected the same number of both; no training image has the label c; "
                   "the images x_train are float64 of shape (6, 4, 5, 3) with values"),
    "no class": (PARTS | {"y_train": np.array(list("abcabc")), "y_test": np.array(list("abx")),
                          "class_names": np.array(list("abc"))},
                 {}, "the label x is not in class_names; expected a, b, c."),
    "equal classes": (PARTS | {"y_train": np.array(list("abcabc")), "y_test": np.array(list("abc")),
                               "class_names": np.array(list("abca"))},
                      {}, "class_names names a class twice, and the labels are texts; expected"),
    "a new text": (PARTS | {"y_train": np.array(list("abcabc")), "y_test": np.array(list("abx"))},
                   {},
                   "no training image has the label x."),
}  # fmt: skip


@pytest.mark.parametrize(("arrays", "arguments", "says"), BAD.values(), ids=BAD.keys())
def test_other_arrays_are_one_sentence(
    arrays: dict[str, Any], arguments: dict[str, Any], says: str, tmp_path: Path
) -> None:
    np.savez(tmp_path / "data.npz", **arrays)
    said = refused(tmp_path, **arguments)
    assert said.startswith(f"data.file={tmp_path}/data.npz: {says}")


def test_other_values_are_one_sentence(tmp_path: Path) -> None:
    np.savez(tmp_path / "data.npz", **PARTS)
    assert refused(tmp_path, arrays=["x"]).startswith("data.arrays=['x']: expected the names of t")
    assert refused(tmp_path, flip="no").startswith("data.file=data.npz data.flip=no: expected a f")
    assert "cannot be read (No such file" in refused(tmp_path, file="absent.npz")


class Harmful:
    """Makes a folder when it is unpickled."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.folder),)


def test_a_pickle_is_never_loaded(tmp_path: Path) -> None:
    proof = tmp_path / "executed"
    (tmp_path / "data.npz").write_bytes(pickle.dumps(Harmful(proof)))
    assert "no .npz file of numpy, it holds a pickle." in refused(tmp_path)
    hidden = np.empty(1, object)
    hidden[0] = Harmful(proof)
    np.savez(tmp_path / "data.npz", **(PARTS | {"y_train": hidden}))
    proof.rmdir() if proof.exists() else None
    assert "y_train.npy holds Python objects, which only a pickle can hold" in refused(tmp_path)
    assert not proof.exists()


def member(shape: tuple[int, ...], content: bytes = b"") -> bytes:
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        file, {"descr": "|u1", "fortran_order": False, "shape": shape}
    )
    return file.getvalue() + content


@pytest.mark.parametrize("name", ["../evil.npy", "/evil.npy", "..\\evil.npy", "a/b.npy", "evil.py"])
def test_an_archive_with_other_entries_is_refused(name: str, tmp_path: Path) -> None:
    np.savez(tmp_path / "data.npz", **PARTS)
    with zipfile.ZipFile(tmp_path / "data.npz", "a") as archive:
        archive.writestr(name, member((1,), b"x"))
    assert f"has an entry {name}, which numpy does not write" in refused(tmp_path)
    assert not list(tmp_path.parent.glob("evil*"))


@pytest.mark.parametrize("shape", [(10**6, 10**6), (3,), (2**70,)])
def test_a_size_that_is_not_there_is_refused_from_the_header(
    shape: tuple[int, ...], tmp_path: Path
) -> None:
    with zipfile.ZipFile(tmp_path / "data.npz", "w") as archive:
        archive.writestr("x_train.npy", member(shape, b"xx"))
    assert "damaged (the array x_train.npy has not the size that it says)." in refused(tmp_path)


def test_an_array_larger_than_memory_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    np.savez(tmp_path / "data.npz", **PARTS)
    monkeypatch.setattr(os, "sysconf", lambda name: 16)
    assert "more than half of the 0.0 GB of memory that qbench may use" in refused(tmp_path)


@pytest.mark.parametrize(("missing", "fits"), [(0, True), (1, False)])
def test_arrays_that_together_are_larger_than_memory_are_refused(
    missing: int, fits: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    size = sum(array.nbytes for array in PARTS.values())
    np.savez(tmp_path / "data.npz", **PARTS, other=np.zeros(10**4))  # which is not read
    monkeypatch.setattr(npz_archive, "usable_memory", lambda: 2 * (size - missing))
    if fits:
        load("npz", str(tmp_path))
    else:
        assert "its arrays take 0.0 GB, more than half" in refused(tmp_path)


def test_everything_that_is_wrong_with_values_is_in_one_message(tmp_path: Path) -> None:
    wrong = {"x_train": IMAGES[:6] / 255, "y_train": LABELS[:6] + 0.5, "x_test": -1.0 * IMAGES[6:9]}
    np.savez(tmp_path / "data.npz", **(PARTS | wrong))
    said = refused(tmp_path)
    assert said.count("npz (") == 1
    for part in ("training images are fl", "training labels", "test images are fl"):
        assert f"the {part}" in said


@pytest.mark.parametrize("header", ["(", "[" * 300, "'''", "{", "-" * 9000 + "1", "\\"])
def test_a_header_that_numpy_cannot_read_is_refused(header: str, tmp_path: Path) -> None:
    size = len(header).to_bytes(2, "little")
    with zipfile.ZipFile(tmp_path / "data.npz", "w") as archive:
        archive.writestr("x_train.npy", b"\x93NUMPY\1\0" + size + header.encode())
    assert refused(tmp_path).startswith(f"data.file={tmp_path / 'data.npz'}: damaged (")


@pytest.mark.parametrize("part", [0.1, 0.5, 0.99])
def test_a_cut_file_is_refused(part: float, tmp_path: Path) -> None:
    np.savez(tmp_path / "data.npz", **PARTS)
    content = (tmp_path / "data.npz").read_bytes()
    (tmp_path / "data.npz").write_bytes(content[: int(len(content) * part)])
    assert "no .npz file of numpy, it holds a ZIP archive." in refused(tmp_path)


def test_damaged_bytes_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "data.npz", **PARTS)
    content = bytearray((tmp_path / "data.npz").read_bytes())
    content[300] ^= 1
    (tmp_path / "data.npz").write_bytes(content)
    assert "damaged (" in refused(tmp_path)
