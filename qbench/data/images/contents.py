"""What is in files: the hash of their bytes, and the format that the first bytes say.

The hashes of a large folder are kept in the cache folder. A kept hash counts only if the file still
has the same size, times and number.
"""

from __future__ import annotations

import hashlib
import os
import stat
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from qbench.base.errors import QbenchError
from qbench.data.cache_folder import cache_folder, hash_file, identifier, read_sealed, write_sealed
from qbench.data.images.budget import Budget

LARGEST = 1 << 30
"""The bytes of the largest file that is read."""
FORMATS = ("PNG", "JPEG", "BMP", "WEBP", "GIF")

_HELD = Budget(1 << 28)  # bytes of files that all threads hold together
_KEPT_FROM = 1 << 24  # bytes of all files together from which hashes are kept
_SETTLED = 2 * 10**9  # nanoseconds after which another change has another time
_STARTS = {
    b"\x89PNG\r\n\x1a\n": "PNG",
    b"\xff\xd8\xff": "JPEG",
    b"GIF87a": "GIF",
    b"GIF89a": "GIF",
    b"BM": "BMP",
    b"II*\x00": "TIFF",
    b"MM\x00*": "TIFF",
    b"%PDF": "PDF",
    b"PK\x03\x04": "a ZIP archive",
    b"\x1f\x8b": "a gzip file",
    b"\x80\x04": "a pickle",
    b"\x80\x05": "a pickle",
    b"\x93NUMPY": "an array of numpy",
    b"\x89HDF": "an HDF5 file",
}
_START = 16  # bytes that say the format


@dataclass(frozen=True)
class Content:
    """The content of a file.

    Attributes:
        sha256: of its bytes; empty if it cannot be used.
        format: the format that its first bytes say, see FORMATS; may be another or empty.
        problem: the kind of problem if it cannot be used, see `problems.py`; else empty.
        detail: what is wrong.
    """

    sha256: str = ""
    format: str = ""
    problem: str = ""
    detail: str = ""


def contents(folder: Path, files: Sequence[Path]) -> list[Content]:
    """The contents of files, read in several threads.

    Args:
        folder: the folder of the data set, under which hashes are kept.
        files: the files.
    """
    started = time.time_ns()
    kept = _Kept(folder)
    with ThreadPoolExecutor(threads(), "hashing") as pool:
        found = list(pool.map(lambda file: _content(file, kept), files, chunksize=64))
    kept.write(started)
    return found


@contextmanager
def held(file: Path) -> Iterator[bytes]:
    """A context with the bytes of a file; it waits for room for them. Raises OSError."""
    with _HELD.taken(os.stat(file).st_size):
        yield file.read_bytes()


def threads() -> int:
    """The number of threads that read files: one for each core that this process may use."""
    return len(os.sched_getaffinity(0))


def format_of(start: bytes) -> str:
    """The format that the first bytes of a file say; empty if none is known."""
    if start[:4] == b"RIFF" and start[8:12] == b"WEBP":
        return "WEBP"
    if start[4:8] == b"ftyp":
        return "HEIC, AVIF or a film"
    return next((name for magic, name in _STARTS.items() if start.startswith(magic)), "")


class _Kept:
    """The hashes of files that were read before."""

    def __init__(self, folder: Path) -> None:
        """Read what is kept for a folder."""
        self._file: Path | None = None
        with suppress(QbenchError):  # there is no cache folder
            self._file = hash_file(cache_folder(), identifier(["files", str(folder.absolute())]))
        self._old: dict[str, Any] = (self._file and read_sealed(self._file)) or {}
        self._new: dict[str, Any] = {}
        self._bytes = 0
        self._read = False

    def get(self, file: Path, found: os.stat_result) -> Content | None:
        """The content of a file, if it is known and the file is unchanged."""
        entry = self._old.get(str(file))
        if entry is None or entry[0] != _fingerprint(found):
            return None
        self._add(file, found, entry)
        return Content(entry[1], entry[2])

    def put(self, file: Path, found: os.stat_result, content: Content) -> None:
        """Keep the content of a file."""
        self._read = True
        self._add(file, found, [_fingerprint(found), content.sha256, content.format])

    def _add(self, file: Path, found: os.stat_result, entry: list[Any]) -> None:
        self._new[str(file)] = entry
        self._bytes += found.st_size

    def write(self, started: int) -> None:
        """Write the hashes of a large folder; `started` is the time before the first was read."""
        if self._file is None or not self._read or self._bytes < _KEPT_FROM:
            return
        last = started - _SETTLED
        settled = {file: one for file, one in self._new.items() if max(one[0][1:3]) < last}
        with suppress(OSError, QbenchError):  # the folder may be full or belong to another user
            self._file.parent.mkdir(parents=True, exist_ok=True)
            write_sealed(self._file, settled)


def _fingerprint(found: os.stat_result) -> list[int]:
    """What changes when the content of a file changes."""
    return [found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino, found.st_dev]


def _content(file: Path, kept: _Kept) -> Content:
    try:
        found = os.stat(file)
        if not stat.S_ISREG(found.st_mode):  # a pipe has no end
            return Content(problem="unreadable", detail="no regular file")
        if not found.st_size:
            return Content(problem="empty")
        if found.st_size > LARGEST:
            return Content(problem="too large", detail=f"{found.st_size:,} bytes")
        known = kept.get(file, found)
        if known is None:
            with file.open("rb") as opened:
                start = opened.read(_START)
                opened.seek(0)
                known = Content(hashlib.file_digest(opened, "sha256").hexdigest(), format_of(start))
            kept.put(file, found, known)
        return known
    except OSError as error:
        return Content(problem="unreadable", detail=error.strerror or str(error))
