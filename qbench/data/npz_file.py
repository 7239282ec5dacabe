"""Arrays in a `.npz` file of numpy: images and labels of each part."""

from __future__ import annotations

import math
import os
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qbench.base.errors import QbenchError
from qbench.base.plain import one_line
from qbench.data.images.contents import format_of
from qbench.data.images.problems import some
from qbench.data.reading import Parts
from qbench.data.source import DATASETS, Source, placed

_SCHEMES = (
    ("x_train", "y_train", "x_test", "y_test", "x_validation", "y_validation"),
    ("x_train", "y_train", "x_test", "y_test", "x_val", "y_val"),
    ("train_images", "train_labels", "test_images", "test_labels", "val_images", "val_labels"),
)
"""Names of arrays that are found without `data.arrays`; the last two need not be there."""
_CLASS_NAMES = "class_names"
_TEXT = "US"
_FEW = 4  # channels that an image in the usual order has at most


@DATASETS.register("npz")
def npz_file(
    folder: Path | None,
    *,
    file: str = "data.npz",
    arrays: Sequence[str] | None = None,
    flip: bool = True,
) -> Source:
    """Images (N, height, width) or (N, height, width, channels), labels as numbers or texts.

    Args:
        folder: the folder in which `file` begins; the working folder if None.
        file: the file.
        arrays: the names of training images, training labels, test images and test labels, and
            perhaps of validation images and labels; None for the usual names.
        flip: whether a mirrored image has the same class.
    """
    if not isinstance(file, str) or type(flip) is not bool:
        raise QbenchError(f"data.file={file} data.flip={flip}: expected a file, and true or false.")
    path = placed(folder, file)
    where = f"data.file={path}"
    headers = _headers(where, path)
    names = _chosen(where, arrays, headers)
    shape = _image_shape(where, names[0], headers[names[0]][0])
    labels = _read(where, path, names[1::2])
    class_names, labels = _named(where, labels, headers, path)

    def read(folder: Path | None) -> Parts:
        images = _read(where, path, names[::2])
        return Parts(*zip(images, labels, strict=True))  # type: ignore[arg-type]

    classes = len(class_names) or _count(where, labels)
    return Source(shape, classes, flip, read, {}, class_names=class_names)


def _headers(where: str, path: Path) -> dict[str, tuple[tuple[int, ...], np.dtype[Any]]]:
    """Shape and dtype of every array; nothing else is read."""
    try:
        with path.open("rb") as opened:
            start = opened.read(16)
        if not zipfile.is_zipfile(path):
            holds = format_of(start) or "something else"
            raise QbenchError(f"{where}: no .npz file of numpy, it holds {holds}.")
        with zipfile.ZipFile(path) as archive:
            found = {}
            for member in archive.infolist():
                name = member.filename
                if not name.endswith(".npy") or "/" in name or "\\" in name:
                    raise QbenchError(
                        f"{where}: has an entry {one_line(name)[:80]}, which numpy does not write;"
                        " expected arrays of numpy.savez only."
                    )
                found[name.removesuffix(".npy")] = _header(where, archive, member)
    except OSError as error:
        raise QbenchError(
            f"{where}: cannot be read ({error.strerror}); expected an .npz file of numpy."
        ) from error
    except _DAMAGED as error:
        raise QbenchError(f"{where}: damaged ({one_line(str(error))[:100]}).") from error
    return found


_DAMAGED = (zipfile.BadZipFile, zlib.error, ValueError, EOFError, NotImplementedError, RuntimeError)


def _header(
    where: str, archive: zipfile.ZipFile, member: zipfile.ZipInfo
) -> tuple[tuple[int, ...], np.dtype[Any]]:
    with archive.open(member) as opened:
        version = np.lib.format.read_magic(opened)
        if version == (1, 0):
            shape, _, dtype = np.lib.format.read_array_header_1_0(opened)
        else:
            shape, _, dtype = np.lib.format.read_array_header_2_0(opened)
        start = opened.tell()
    name = one_line(member.filename)
    if dtype.hasobject:
        raise QbenchError(
            f"{where}: the array {name} holds Python objects, which only a pickle can hold; qbench"
            " reads none. Expected numbers."
        )
    size = math.prod(shape) * dtype.itemsize
    if size != member.file_size - start:
        raise QbenchError(f"{where}: damaged (the array {name} has not the size that it says).")
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    if size > memory // 2:
        raise QbenchError(
            f"{where}: the array {name} takes {size / 1e9:,.1f} GB, more than half of the memory of"
            " this machine; use image files (data=image_folder), which need not fit."
        )
    return shape, dtype


def _chosen(where: str, arrays: Any, headers: dict[str, Any]) -> tuple[str, ...]:
    """The names of the arrays: images and labels of two or three parts."""
    has = f"it has {some(sorted(headers))}" if headers else "it has no arrays"
    if arrays is None:
        found = _usual(where, set(headers))
        if found:
            return found
        usual = " or ".join(", ".join(names[:4]) for names in _SCHEMES[1:])
        raise QbenchError(f"{where}: {has}; expected {usual}, or their names in data.arrays=[...].")
    if not isinstance(arrays, list | tuple) or len(arrays) not in (4, 6):
        raise QbenchError(
            f"data.arrays={arrays}: expected the names of training images, training labels, test"
            " images and test labels, and perhaps of validation images and labels."
        )
    lacking = [str(name) for name in arrays if name not in headers]
    if lacking:
        raise QbenchError(f"{where}: has no array {some(lacking)}; {has}.")
    return tuple(arrays)


def _usual(where: str, there: set[str]) -> tuple[str, ...]:
    """The usual names among those of a file; empty if they are not there."""
    four = [names for names in _SCHEMES if set(names[:4]) <= there]
    for names in four:
        held = [name for name in names[4:] if name in there]
        if len(held) == 2:
            return names
        if held:
            raise QbenchError(
                f"{where}: has the array {held[0]} and not both of {' and '.join(names[4:])}."
            )
    return four[0][:4] if four else ()


def _image_shape(where: str, name: str, shape: tuple[int, ...]) -> tuple[int, int, int]:
    """(height, width, channels) of an image."""
    if len(shape) == 3:
        return (shape[1], shape[2], 1)
    first = len(shape) == 4 and shape[1] <= _FEW < shape[3]
    if len(shape) != 4 or first or not all(shape):
        why = "; their channels come first: images.transpose(0, 2, 3, 1)" if first else ""
        raise QbenchError(
            f"{where}: the images {one_line(name)} have the shape {shape}; expected (N, height,"
            f" width) or (N, height, width, channels){why}."
        )
    return (shape[1], shape[2], shape[3])


def _read(where: str, path: Path, names: Sequence[str]) -> list[NDArray[Any]]:
    try:
        with np.load(path, allow_pickle=False) as archive:
            return [archive[name] for name in names]
    except (OSError, *_DAMAGED) as error:
        raise QbenchError(f"{where}: damaged ({one_line(str(error))[:100]}).") from error


def _named(
    where: str, labels: list[NDArray[Any]], headers: dict[str, Any], path: Path
) -> tuple[tuple[str, ...], list[NDArray[Any]]]:
    """The names of the classes, and labels as numbers.

    Texts become numbers by `class_names`, or in their own order if there are no such names.
    """
    given = _CLASS_NAMES in headers
    names = np.array([])
    if given:
        names = _as_text(where, _read(where, path, [_CLASS_NAMES])[0])
    if not all(array.dtype.kind in _TEXT for array in labels):
        return tuple(one_line(str(name)) for name in names), labels
    texts = [_as_text(where, array) for array in labels]
    if not given:
        names = np.unique(texts[0])
    numbers = {name: number for number, name in enumerate(names.tolist())}
    if len(numbers) < len(names):
        raise QbenchError(
            f"{where}: {_CLASS_NAMES} names a class twice, and the labels are texts; expected"
            " different names."
        )
    for array in texts:
        strange = sorted(set(array.tolist()) - set(numbers))
        if strange and given:
            raise QbenchError(
                f"{where}: the label {some(strange)} is not in {_CLASS_NAMES}; expected"
                f" {some(numbers)}."
            )
        if strange:
            raise QbenchError(f"{where}: no training image has the label {some(strange)}.")
    found = [np.array([numbers[text] for text in array.tolist()], np.int64) for array in texts]
    return tuple(one_line(str(name)) for name in names), found


def _as_text(where: str, array: NDArray[Any]) -> NDArray[np.str_]:
    """The values (N,) as texts; bytes are UTF-8."""
    flat = array.reshape(-1)
    try:
        return np.char.decode(flat, "utf-8") if flat.dtype.kind == "S" else flat.astype(str)
    except UnicodeDecodeError as error:
        raise QbenchError(
            f"{where}: class names or labels are bytes that are no UTF-8; expected texts."
        ) from error


def _count(where: str, labels: list[NDArray[Any]]) -> int:
    """The number of classes of labels that are numbers."""
    first = labels[0]
    if any(array.dtype.kind not in "biuf" or not array.size for array in labels):
        raise QbenchError(
            f"{where}: the labels are {first.dtype} of shape {first.shape}; expected whole numbers"
            " from 0, one-hot rows or texts, and at least one."
        )
    if first.ndim == 2 and first.shape[1] > 1:
        return int(first.shape[1])
    largest = max(float(np.max(array)) for array in labels)
    return int(largest) + 1 if 0 <= largest < 1e6 else 1
