"""Loads data sets and checks them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qbench.base.errors import all_of
from qbench.data import arrays, reading
from qbench.data.hashing import data_hash
from qbench.data.rows import Images, on_disk
from qbench.data.source import (
    DATASETS,
    Chosen,
    DataChoice,
    Reading,
    Source,
    existing,
    made,
    reading_of,
    returned,
)
from qbench.tasks.task import Task


@dataclass(frozen=True, eq=False)
class Dataset:
    """A loaded data set. Two data sets are equal only if they are the same object.

    Attributes:
        name: its name in the configuration.
        train_images, test_images: (N, H, W, C) uint8, in memory or on disk. Images on disk are an
            array that is mapped from a file, or Rows of one; nothing reads all of them at once.
            Arrays of loaded data are read-only, because all runs of a process share them.
        train_labels, test_labels: targets (N, ...), in the form of the task.
        task: its task.
        flip: see Source.
        hash: SHA-256 over the arrays, their shapes and dtypes. For any task except classification
            it includes the task's `identity`; for a `Source` that a function made, also its number
            of classes and its `flip`, because arguments may change them.
        provenance: the note in `Source.known` on these exact pixels, and the reader's note; may be
            empty.
        validation: validation images and targets, in the forms of the training data; None if there
            is no such part. The reader returns one, or `qbench.data.validation.split` makes one.
        class_names: see Source.
        left_out: what the reader left out, as plain data for the record; empty if nothing.
        alike: which training images the validation part keeps together; see Parts. None after the
            division.
    """

    name: str
    train_images: Images
    train_labels: NDArray[Any]
    test_images: Images
    test_labels: NDArray[Any]
    task: Task
    flip: bool
    hash: str
    provenance: str
    validation: tuple[Images, NDArray[Any]] | None = None
    class_names: tuple[str, ...] = ()
    left_out: Mapping[str, Any] = field(default_factory=dict)
    alike: NDArray[np.integer[Any]] | None = None


def load(
    name: str, folder: str | None = None, /, resolution: int | None = None, **arguments: Any
) -> Dataset:
    """Load and check a data set; the data set that was loaded last is kept.

    Args:
        name: the name in the configuration.
        folder: the configuration's `data.dir`.
        resolution: the configuration's `data.resolution`, for data sets that make images of it.
        arguments: the arguments of the data set.

    Raises:
        QbenchError: the data are missing, damaged or of the wrong shape; the message names the
            file, or the data set and the part, what was found and what was expected.
    """
    return load_chosen(DataChoice(name, folder, resolution, arguments))


def load_chosen(chosen: Chosen) -> Dataset:
    """Load the data set that the settings of group `data` choose; see `load`."""
    return _loaded(reading_of(chosen))


@lru_cache(maxsize=1)
def _loaded(wanted: Reading) -> Dataset:
    """See `load`; code from outside with another content gives other data."""
    name, folder = wanted.name, wanted.folder
    source = made(wanted)
    where = f"{name} ({folder})" if folder else name
    read = reading.returned(where, source.read, existing(name, folder))
    task = source.make_task()
    given = {"training": read.train, "test": read.test, "validation": read.validation}
    checks = [
        partial(arrays.part, where, which, *pair, source.shape, task)
        for which, pair in given.items()
        if pair is not None
    ]
    train, test, *held_out = all_of(where, *checks)
    validation = tuple(map(read_only, held_out[0])) if held_out else None
    digest = data_hash(task, *train, *test, *(validation or ()), more=_more(wanted, source))
    notes = (source.known.get(digest, ""), read.note)
    return Dataset(
        name,
        read_only(train[0]),
        read_only(train[1]),
        read_only(test[0]),
        read_only(test[1]),
        task=task,
        flip=source.flip,
        hash=digest,
        provenance="; ".join(note for note in notes if note),
        validation=validation,
        class_names=source.class_names,
        left_out=read.left_out,
        alike=read.alike,
    )


def read_only(array: Any) -> Any:
    """A view of an array that no code can write to; images on disk are read-only anyway."""
    if on_disk(array):
        return array
    view = array.view()
    view.flags.writeable = False
    return view


def _forget() -> None:
    _loaded.cache_clear()
    returned.cache_clear()


load.cache_clear = _forget  # type: ignore[attr-defined]


def _more(wanted: Reading, source: Source) -> str:
    """What the hash has to say of a `Source` that arguments have made; empty for others."""
    if isinstance(DATASETS[wanted.name], Source):
        return ""
    return json.dumps([source.classes, source.flip])
