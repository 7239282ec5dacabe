"""Decoded images on disk: decoded once, then mapped into memory by every process that needs them.

`cache_folder.py` says which files there are. Images are decoded under a lock, so a second process
waits and then finds them. They are complete when the facts about them are written. Whoever opens
them compares size, times and number of the file with the facts. If these differ, the SHA-256 of all
images is computed again. Damaged images are decoded anew.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np

from qbench.base.errors import DiskFull, disk_full
from qbench.base.files import prepare_folder
from qbench.data.cache_folder import VARIABLE, Entry, cache_folder, identifier
from qbench.data.filling import Decode, Filled, Undecodable, fill
from qbench.storage import locks

__all__ = ["Cached", "Mapped", "Undecodable", "cached"]

_CHUNK = 1 << 24
_OPENING = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC

Say = Callable[[str], None]


class Mapped(np.memmap[Any, np.dtype[np.uint8]]):
    """Images of the cache (N, ...) uint8, read-only.

    Attributes:
        digest: SHA-256 of all bytes, in the array as it was opened; None in a part or a view of it.
    """

    digest: str | None = None


@dataclass(frozen=True, eq=False)
class Cached:
    """A complete set of decoded images.

    Attributes:
        images: the images (count, *shape) uint8. As long as this array or a view of it exists, the
            process holds a lock that keeps the images from `qbench clean --cache`.
        digest: SHA-256 of their bytes.
        failed: the reasons of images that cannot be decoded, by index; these images are zeros.
    """

    images: Mapped
    digest: str
    failed: dict[int, str]


def cached(key: str, count: int, shape: tuple[int, ...], decode: Decode, say: Say) -> Cached:
    """The decoded images of a key; only images that are not in the cache are decoded.

    Args:
        key: says everything that the images depend on: the content of their files, the settings of
            decoding, versions. Another key, number or shape gives another set.
        count: the number of images, at least 1.
        shape: the shape of an image.
        decode: returns the image of an index, `shape` uint8. Several threads call it. If an image
            cannot be decoded, it may raise Undecodable with the reason; any other exception ends
            the decoding, and blocks that are complete stay for the next attempt.
        say: called with a line of text when images are decoded or damaged, and when this process
            waits for another one.

    Raises:
        QbenchError: the cache folder cannot be written.
        DiskFull: there is no room for the images.
    """
    if count < 1 or not all(side > 0 for side in shape):
        raise ValueError(f"{count} images of shape {shape}; expected at least one value")
    asked = {"key": key, "count": count, "shape": list(shape)}
    entry = Entry(cache_folder(), identifier(asked))
    found = _opened(entry, asked)
    if found is None:
        prepare_folder(entry.folder, VARIABLE)
        with locks.locked(entry.lock, say) as lock:
            found = _opened(entry, asked) or _made(entry, asked, decode, say, lock)
    return found


def _opened(entry: Entry, asked: dict[str, Any]) -> Cached | None:
    """The images, if they are complete and undamaged."""
    facts = entry.read_facts()
    if facts is None or any(facts.get(name) != value for name, value in asked.items()):
        return None
    try:
        file = entry.pixels.open("rb")
    except OSError:
        return None
    with file:
        _share(file)
        if not _is_intact(entry, facts, file):
            return None
        return _mapped(file, facts)


def _share(file: BinaryIO) -> None:
    """Hold the lock of a reader as long as this file, or a map of it, is open."""
    with suppress(OSError):  # some network file systems have no locks
        fcntl.flock(file, fcntl.LOCK_SH)


def _mapped(file: BinaryIO, facts: dict[str, Any]) -> Cached:
    shape = (facts["count"], *facts["shape"])
    images = Mapped(file, np.uint8, "r", shape=shape)  # keeps a copy of the handle, and so the lock
    images.digest = facts["digest"]
    failed = {int(index): reason for index, reason in facts["failed"].items()}
    return Cached(images, facts["digest"], failed)


def _is_intact(entry: Entry, facts: dict[str, Any], file: BinaryIO) -> bool:
    """Whether an open file has the content that the facts give.

    The time of a file's last change cannot be set, so a file with another content has another time,
    size or number. A copy of the file differs in them too; its content decides.
    """
    seen = _fingerprint(file.fileno())
    if not seen["links"] or seen["size"] != facts["count"] * int(np.prod(facts["shape"])):
        return False
    if seen == facts["file"]:
        return True
    if _digest(file) != facts["digest"]:
        return False
    with suppress(OSError):  # the folder may belong to another user
        entry.write_facts({**facts, "file": seen})
    return True


def _fingerprint(handle: int) -> dict[str, int]:
    """What changes when the content of a file changes."""
    found = os.fstat(handle)
    return {
        "size": found.st_size,
        "modified": found.st_mtime_ns,
        "changed": found.st_ctime_ns,
        "number": found.st_ino,
        "links": found.st_nlink,
    }


def _digest(file: BinaryIO) -> str:
    """SHA-256 of a file."""
    digest = hashlib.sha256()
    while chunk := file.read(_CHUNK):
        digest.update(chunk)
    return digest.hexdigest()


def _made(
    entry: Entry, asked: dict[str, Any], decode: Decode, say: Say, lock: locks.Lock
) -> Cached:
    """Decode the images that are not there yet."""
    if entry.facts.exists():  # they were complete, and `_opened` found them damaged
        say(f"{entry.pixels}: damaged or of another version; its images are decoded again")
        entry.remove()
    elif not entry.progress.exists():  # nothing says what is in the file
        entry.remove()
    count, shape = asked["count"], tuple(asked["shape"])
    size = count * int(np.prod(shape))
    say(f"decoding {count:,} images once, into {entry.pixels} ({size / 1e6:,.0f} MB)")
    with _room_for(entry, size), _writable(entry) as file:
        _reserve(file.fileno(), size)
        filled = fill(file.fileno(), entry.progress, count, shape, decode)
        os.fsync(file.fileno())
        lock.check()
        return _completed(entry, asked, filled, file)


def _writable(entry: Entry) -> BinaryIO:
    """The file of the images, open for reading and writing, with the lock of a reader."""
    while True:
        file = os.fdopen(os.open(entry.pixels, _OPENING, 0o644), "r+b")
        _share(file)
        if os.fstat(file.fileno()).st_nlink:
            return file
        file.close()  # `qbench clean --cache` has just removed it


@contextmanager
def _room_for(entry: Entry, size: int) -> Iterator[None]:
    """Turns the error of a full disk into DiskFull; blocks that are complete stay."""
    try:
        yield
    except OSError as error:
        if disk_full(error) is None:
            raise
        if not entry.progress.exists():
            entry.remove()
        raise DiskFull(
            f"disk full: no room for {entry.pixels} ({size / 1e6:,.0f} MB); make room (qbench clean"
            f" --cache removes decoded images that are not in use), or set {VARIABLE} to a folder"
            " on another disk; the same command goes on from here."
        ) from error


def _reserve(handle: int, size: int) -> None:
    """Give a file its size and its room on the disk, so that a full disk is found at once."""
    os.ftruncate(handle, size)
    try:
        os.posix_fallocate(handle, 0, size)
    except OSError as error:
        if error.errno not in (errno.EOPNOTSUPP, errno.EINVAL):  # some file systems cannot
            raise


def _completed(entry: Entry, asked: dict[str, Any], filled: Filled, file: BinaryIO) -> Cached:
    """Write the facts about complete images."""
    facts = {
        **asked,
        "digest": filled.digest,
        "failed": {str(index): reason for index, reason in filled.failed.items()},
        "file": _fingerprint(file.fileno()),
    }
    entry.write_facts(facts)
    entry.progress.unlink(missing_ok=True)
    return _mapped(file, facts)
