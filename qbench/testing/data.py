"""Checks that a data set keeps its contract: it is read as qbench reads it, several times."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from qbench.data import DATASETS, Dataset, Source, load
from qbench.data.rows import pieces, update
from qbench.tasks.classification import Classification
from qbench.tasks.task import Task
from qbench.testing.assertions import calling, see

_NAME = "checked_data"
# The share of test images that may be training images too; published sets have a few.
_SAME = 0.1
_PARTS = ("train_images", "train_labels", "test_images", "test_labels")


def check_data(source: Source, folder: str | Path | None = None) -> None:
    """Check that a data set keeps the contract of `qbench.data.dataset.Source`.

    Args:
        source: the data set.
        folder: the folder of its files, as in `data.dir`; None if it needs none.

    Raises:
        AssertionError: the data set breaks the contract; the message says what was found and what
            is expected.
    """
    see(
        isinstance(source, Source),
        f"the data are of type {type(source).__name__}; expected a Source.",
    )
    _check_words(source)
    _check_task(source)
    first = _read(source, folder)
    kept = _hashes(first)
    second = _read(source, folder)
    for name, before, now in zip(_PARTS, kept, _hashes(first), strict=True):
        see(
            before == now,
            f"the reader changes {name} when it reads again; return a copy.",
        )
    see(
        first.hash == second.hash,
        "the reader returns other data when it reads again; draw from"
        " numpy.random.default_rng(0), for instance, and sort the names of files.",
    )
    _check_parts(first)
    _check_classes(first)


def _check_words(source: Source) -> None:
    shape = source.shape
    see(
        isinstance(shape, tuple) and len(shape) == 3 and all(map(_is_positive, shape)),
        f"shape is {shape!r}; expected (height, width, channels).",
    )
    see(
        _is_positive(source.classes),
        f"classes is {source.classes!r}; expected a whole number of 1 or more.",
    )
    see(isinstance(source.flip, bool), f"flip is {source.flip!r}; expected True or False.")
    notes = source.known
    see(
        isinstance(notes, dict)
        and all(isinstance(one, str) for pair in notes.items() for one in pair),
        f"known is {notes!r}; expected a dictionary of hashes and notes, {{}} for instance.",
    )


def _is_positive(value: Any) -> bool:
    return type(value) is int and value > 0


def _check_task(source: Source) -> None:
    """Check that the data set makes the same task each time."""
    with calling("making the task"):
        one, other = source.make_task(), source.make_task()
    see(isinstance(one, Task), f"task makes {type(one).__name__}; expected a Task.")
    see(one == other, "task makes another task each time; see qbench.testing.check_task.")
    see(
        one.outputs == source.classes,
        f"the task has {one.outputs} outputs, and classes is {source.classes}.",
    )


def _read(source: Source, folder: str | Path | None) -> Dataset:
    """The data as qbench reads them, not those of an earlier read."""
    loader: Any = load  # with its method `cache_clear`
    with DATASETS.lent(_NAME, source), calling("reading the data"):
        loader.cache_clear()
        try:
            return load(_NAME, None if folder is None else str(folder))
        finally:
            loader.cache_clear()


def _hashes(data: Dataset) -> list[str]:
    """A hash of each array."""
    found = []
    for name in _PARTS:
        digest = hashlib.sha256()
        update(digest, getattr(data, name))
        found.append(digest.hexdigest())
    return found


def _check_parts(data: Dataset) -> None:
    """Check that the parts differ, and that the images show something."""
    train, _, test, _ = _hashes(data)
    see(train != test, "the test images are the training images.")
    for name in ("train_images", "test_images"):
        ends = [(piece.min(), piece.max()) for piece in pieces(getattr(data, name))]
        low, high = min(low for low, _ in ends), max(high for _, high in ends)
        see(low < high, f"all pixels of {name} are {low}.")
        see(high > 1, f"the pixels of {name} are 0 or 1; expected values from 0 to 255.")
    known = {image.tobytes() for piece in pieces(data.train_images) for image in piece}
    again = sum(image.tobytes() in known for piece in pieces(data.test_images) for image in piece)
    see(
        again <= _SAME * len(data.test_images),
        f"{again} of {len(data.test_images)} test images are training images too; divide the images"
        " before you copy or augment them.",
    )


def _check_classes(data: Dataset) -> None:
    """Check that the training images of a classification show every class."""
    if not isinstance(data.task, Classification):
        return
    count = data.task.outputs
    largest = max(int(data.train_labels.max()), int(data.test_labels.max()))
    see(
        largest == count - 1,
        f"classes is {count}, and the largest label is {largest}; expected labels from 0 to"
        f" {count - 1}.",
    )
    missing = sorted(set(range(count)) - set(data.train_labels.tolist()))
    see(
        not missing,
        f"no training image has the label {', '.join(map(str, missing[:5]))}; expected every label"
        f" from 0 to {count - 1}.",
    )
