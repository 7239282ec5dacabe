"""Arrays in a `.npz` file of numpy: images and labels of each part."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qbench.base.errors import QbenchError, all_of
from qbench.base.plain import one_line
from qbench.data import npz_archive
from qbench.data.arrays import whole_pixels
from qbench.data.hashing import alike
from qbench.data.images.problems import some
from qbench.data.npz_archive import Header
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
    headers = npz_archive.headers(where, path)
    names = _chosen(where, arrays, headers)
    _check_memory(where, names, headers)
    images, targets = names[::2], names[1::2]
    like = headers[images[0]].shape
    pairs = zip(images, targets, strict=True)
    forms = [partial(_form, where, *pair, headers, like) for pair in pairs]

    def named() -> tuple[tuple[str, ...], int, list[NDArray[Any]]]:
        class_names, labels = _named(where, npz_archive.read(where, path, targets), headers, path)
        return class_names, len(class_names) or _count(where, labels), labels

    def read(folder: Path | None) -> Parts:
        pixels = npz_archive.read(where, path, images)
        parts = Parts(*zip(pixels, labels, strict=True))  # type: ignore[arg-type]
        return replace(parts, alike=alike(pixels[0]))

    try:
        shape, *_, (class_names, classes, labels) = all_of(where, *forms, named)
    except QbenchError:  # say also what is wrong with values of images
        all_of(where, *forms, named, *(partial(_pixels, where, path, name) for name in images))
        raise
    return Source(shape, classes, flip, read, {}, class_names=class_names)


def _check_memory(where: str, names: Sequence[str], headers: dict[str, Header]) -> None:
    """Check that the arrays that are read fit in memory."""
    read = {*names, *({_CLASS_NAMES} & set(headers))}
    npz_archive.check_memory(where, [headers[name] for name in read])


def _pixels(where: str, path: Path, name: str) -> None:
    """Check the values of images."""
    found = npz_archive.read(where, path, [name])[0]
    if found.size:
        whole_pixels(f"{where}: the images {one_line(name)}", found, found.shape[1:])


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


def _form(
    where: str, name: str, labels: str, headers: dict[str, Header], like: tuple[int, ...]
) -> tuple[int, int, int]:
    """(height, width, channels) of the images of a part.

    Args:
        where: the name of the file, for messages.
        name: the name of the images.
        labels: the name of their labels.
        headers: the headers of all arrays.
        like: the shape of the training images.
    """
    shape = headers[name].shape
    first = len(shape) == 4 and shape[1] <= _FEW < shape[3]
    if len(shape) not in (3, 4) or first or not all(shape):
        why = "; their channels come first: images.transpose(0, 2, 3, 1)" if first else ""
        raise QbenchError(
            f"{where}: the images {one_line(name)} have the shape {shape}; expected (N, height,"
            f" width) or (N, height, width, channels){why}."
        )
    if shape[1:] != like[1:]:
        raise QbenchError(
            f"{where}: the images {one_line(name)} have the shape {shape}, and those of the"
            f" training part {like}; expected images of one size."
        )
    targets = headers[labels].shape
    if targets[:1] != shape[:1]:
        raise QbenchError(
            f"{where}: the images {one_line(name)} have the shape {shape} and the labels"
            f" {one_line(labels)} the shape {targets}; expected the same number of both."
        )
    return (shape[1], shape[2], shape[3] if len(shape) == 4 else 1)


def _named(
    where: str, labels: list[NDArray[Any]], headers: dict[str, Any], path: Path
) -> tuple[tuple[str, ...], list[NDArray[Any]]]:
    """The names of the classes, and labels as numbers.

    Texts become numbers by `class_names`, or in their own order if there are no such names.
    """
    given = _CLASS_NAMES in headers
    names = np.array([])
    if given:
        names = _as_text(where, npz_archive.read(where, path, [_CLASS_NAMES])[0])
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
    strange = [array for array in labels if array.dtype.kind not in "biuf" or not array.size]
    if strange:
        raise QbenchError(
            f"{where}: labels are {strange[0].dtype} of shape {strange[0].shape}; expected whole"
            " numbers from 0, one-hot rows or texts, and at least one."
        )
    if first.ndim == 2 and first.shape[1] > 1:
        return int(first.shape[1])
    largest = max(float(np.max(array)) for array in labels)
    return int(largest) + 1 if 0 <= largest < 1e6 else 1
