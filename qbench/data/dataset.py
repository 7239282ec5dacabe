"""What a data set is, and how one is loaded and checked."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qbench.errors import QbenchError
from qbench.paths import given
from qbench.registry import Registry

Arrays = tuple[NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any]]


@dataclass(frozen=True)
class Source:
    """A data set that can be named in a configuration.

    Attributes:
        shape: (height, width, channels) of an image.
        classes: number of classes.
        flip: whether a mirrored image is still an image of its class.
        read: folder, or None where none was given -> train images, train labels, test images,
            test labels.
        known: what is known of the exact pixels, by the data's hash.
    """

    shape: tuple[int, int, int]
    classes: int
    flip: bool
    read: Callable[[Path | None], Arrays]
    known: dict[str, str]


DATASETS: Registry[Source] = Registry("data.name")


@dataclass(frozen=True)
class Dataset:
    """A loaded data set.

    Attributes:
        name: as in the configuration.
        train_images, test_images: (N, H, W, C) uint8.
        train_labels, test_labels: (N,) int64 in [0, classes).
        classes: number of classes.
        flip: see Source.
        hash: SHA-256 over the four arrays, their shapes and dtypes.
        provenance: what is known of these very pixels, for reports; may be empty.
    """

    name: str
    train_images: NDArray[np.uint8]
    train_labels: NDArray[np.int64]
    test_images: NDArray[np.uint8]
    test_labels: NDArray[np.int64]
    classes: int
    flip: bool
    hash: str
    provenance: str


@lru_cache(maxsize=1)
def load(name: str, folder: str | None) -> Dataset:
    """Load and check a data set.

    Args:
        name: as registered.
        folder: the configuration's `data.dir`.

    Raises:
        QbenchError: the data are missing, damaged or of the wrong shape; the message names the
            file and what was expected.
    """
    source = DATASETS[name]
    arrays = source.read(_existing(name, folder))
    for part, images, labels in (("training", *arrays[:2]), ("test", *arrays[2:])):
        _check(f"{name} ({folder})" if folder else name, part, images, labels, source)
    digest = _hash(arrays)
    return Dataset(
        name,
        *arrays,
        classes=source.classes,
        flip=source.flip,
        hash=digest,
        provenance=source.known.get(digest, ""),
    )


def _existing(name: str, folder: str | None) -> Path | None:
    if folder is None:
        return None
    path = given(folder)
    if not path.is_dir():
        raise QbenchError(
            f"data.dir={folder}: no such folder; expected the one that holds {name}'s files."
        )
    return path


def _check(name: str, part: str, images: Any, labels: Any, source: Source) -> None:
    """Refuses arrays that are not what the source promises."""
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[1:] != source.shape:
        raise QbenchError(
            f"{name}: the {part} images are {images.dtype} of shape {images.shape}; expected"
            f" uint8 of shape (N, {', '.join(map(str, source.shape))})."
        )
    if len(images) == 0 or labels.shape != (len(images),):
        raise QbenchError(
            f"{name}: {len(images)} {part} images and {labels.shape[0]} labels; expected as many"
            " of one as of the other, and at least one."
        )
    if labels.min() < 0 or labels.max() >= source.classes:
        raise QbenchError(
            f"{name}: {part} labels from {labels.min()} to {labels.max()}; expected 0 to"
            f" {source.classes - 1}."
        )


def _hash(arrays: Arrays) -> str:
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(f"{array.dtype.str}{array.shape}".encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()
