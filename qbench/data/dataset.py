"""Describes data sets, loads them and checks them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qbench.base.errors import QbenchError
from qbench.base.outside import Code
from qbench.base.paths import given
from qbench.base.registry import Registry, code_behind
from qbench.data import arrays, reading
from qbench.tasks.classification import Classification
from qbench.tasks.task import Task


@dataclass(frozen=True)
class Source:
    """A data set that a configuration can name.

    Attributes:
        shape: (height, width, channels) of an image.
        classes: number of classes; for other tasks the number of values that a network returns for
            an image.
        flip: whether a mirrored image has the same target.
        read: the reader. It takes the folder, or None if there is none. It returns training images,
            training targets, test images and test targets, or two pairs of images and targets, in
            any form that `arrays.part` accepts.
        known: notes on the exact pixels, by the hash of the data.
        task: the class of its task; `classes` is its only argument.
    """

    shape: tuple[int, int, int]
    classes: int
    flip: bool
    read: Callable[[Path | None], Any]
    known: dict[str, str]
    task: Callable[[int], Task] = Classification

    def make_task(self) -> Task:
        """The task of these data."""
        return self.task(self.classes)


DATASETS: Registry[Source] = Registry("data.name", Source)


@dataclass(frozen=True, eq=False)
class Dataset:
    """A loaded data set. Two data sets are equal only if they are the same object.

    Attributes:
        name: its name in the configuration.
        train_images, test_images: (N, H, W, C) uint8. Arrays of loaded data are read-only, because
            all runs of a process share them.
        train_labels, test_labels: targets (N, ...), in the form of the task.
        task: its task.
        flip: see Source.
        hash: SHA-256 over the four arrays, their shapes and dtypes. For any task except
            classification it includes the task's `identity`.
        provenance: the note in `Source.known` on these exact pixels; may be empty.
        validation: validation images and targets, in the forms of the training data; None if there
            is no such part. See `qbench.data.validation.split`.
    """

    name: str
    train_images: NDArray[np.uint8]
    train_labels: NDArray[Any]
    test_images: NDArray[np.uint8]
    test_labels: NDArray[Any]
    task: Task
    flip: bool
    hash: str
    provenance: str
    validation: tuple[NDArray[np.uint8], NDArray[Any]] | None = None


def load(name: str, folder: str | None) -> Dataset:
    """Load and check a data set; the data set that was loaded last is kept.

    Args:
        name: the name in the configuration.
        folder: the configuration's `data.dir`.

    Raises:
        QbenchError: the data are missing, damaged or of the wrong shape; the message names the
            file, or the data set and the part, what was found and what was expected.
    """
    return _loaded(name, folder, code_behind(DATASETS.key, name))


@lru_cache(maxsize=1)
def _loaded(name: str, folder: str | None, code: Code | None) -> Dataset:
    """See `load`; code from outside with another content gives other data."""
    source = DATASETS[name]
    where = f"{name} ({folder})" if folder else name
    read = reading.returned(where, source.read, _existing(name, folder))
    task = source.make_task()
    train = arrays.part(where, "training", *read[:2], source.shape, task)
    test = arrays.part(where, "test", *read[2:], source.shape, task)
    digest = _hash(task, *train, *test)
    return Dataset(
        name,
        read_only(train[0]),
        read_only(train[1]),
        read_only(test[0]),
        read_only(test[1]),
        task=task,
        flip=source.flip,
        hash=digest,
        provenance=source.known.get(digest, ""),
    )


def read_only(array: NDArray[Any]) -> NDArray[Any]:
    """A view of an array that no code can write to."""
    view = array.view()
    view.flags.writeable = False
    return view


load.cache_clear = _loaded.cache_clear  # type: ignore[attr-defined]


def _existing(name: str, folder: str | None) -> Path | None:
    if folder is None:
        return None
    try:
        path = given(folder)
        there = path.is_dir()
        next(path.iterdir() if there else iter(()), None)
    except OSError as error:
        raise QbenchError(f"data.dir={folder}: cannot be read ({error.strerror}).") from error
    if not there:
        raise QbenchError(
            f"data.dir={folder}: no such folder; expected the one that holds {name}'s files."
        )
    return path


def _hash(task: Task, *parts: NDArray[Any]) -> str:
    digest = hashlib.sha256()
    if type(task) is not Classification:
        digest.update(task.identity.encode())
    for array in parts:
        digest.update(f"{array.dtype.str}{array.shape}".encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()
