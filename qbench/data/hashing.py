"""The hash of a data set. The hash of images in the cache is computed once and kept there."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qbench.base.errors import QbenchError
from qbench.data.cache_folder import cache_folder, hash_file, identifier, read_sealed, write_sealed
from qbench.data.rows import Rows, known_digest, update
from qbench.tasks.classification import Classification
from qbench.tasks.task import Task


def alike(images: NDArray[Any]) -> NDArray[np.int64]:
    """(N,) numbers of images (N, ...) in memory; equal images have equal numbers."""
    found = [hashlib.sha256(np.ascontiguousarray(one).data).digest() for one in images]
    numbers = {content: number for number, content in enumerate(found)}
    return np.array([numbers[content] for content in found], np.int64)


def data_hash(task: Task, *parts: NDArray[Any] | Rows, more: str = "") -> str:
    """SHA-256 over arrays, their shapes and dtypes; for images on disk as for the same in memory.

    Args:
        task: the task; its `identity` counts unless it is a classification.
        *parts: the arrays, in order.
        more: what counts in addition.
    """
    known = [known_digest(part) for part in parts]
    if not any(known):
        return _computed(task, parts, more)
    described = [_described(part, digest) for part, digest in zip(parts, known, strict=True)]
    file = hash_file(cache_folder(), identifier(["data", _identity(task) + more, described]))
    kept = read_sealed(file)
    if kept is not None:
        return str(kept["hash"])
    found = _computed(task, parts, more)
    with suppress(OSError, QbenchError):  # the folder may be full or belong to another user
        write_sealed(file, {"hash": found})
    return found


def _identity(task: Task) -> str:
    return "" if type(task) is Classification else task.identity


def _computed(task: Task, parts: tuple[NDArray[Any] | Rows, ...], more: str) -> str:
    digest = hashlib.sha256()
    digest.update((_identity(task) + more).encode())
    for part in parts:
        update(digest, part)
    return digest.hexdigest()


def _described(part: NDArray[Any] | Rows, known: list[str] | None) -> list[Any]:
    """What identifies one array."""
    if known is None:
        digest = hashlib.sha256()
        update(digest, part)
        known = [digest.hexdigest()]
    return [part.dtype.str, list(part.shape), *known]
