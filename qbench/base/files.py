"""Writes and appends to files; handles full disks."""

from __future__ import annotations

import csv
import errno
import fcntl
import io
import json
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qbench.base.errors import QbenchError, disk_full


@contextmanager
def room_for(file: Path) -> Iterator[None]:
    """A context for writing `file`; raises DiskFull if there is no room for it."""
    try:
        yield
    except OSError as error:
        full = disk_full(error, file)
        if full is None:
            raise
        raise full from error


@contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Hold the lock on a folder; only one process on this machine holds it at a time.

    The folder must exist. On some network file systems folders have no locks. The lock does not
    reach other machines.
    """
    handle = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def append_line(path: Path, content: Mapping[str, Any]) -> None:
    """Append plain data as one line of JSON; raises DiskFull if there is no room for all of it."""
    line = json.dumps(content, default=list).encode() + b"\n"
    with room_for(path), path.open("ab", buffering=0) as file:
        with suppress(OSError):  # some network file systems have no locks
            fcntl.flock(file, fcntl.LOCK_EX)
        end = file.seek(0, os.SEEK_END)
        if file.write(line) < len(line):
            file.truncate(end)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def prepare_folder(folder: Path, key: str) -> None:
    """Make a folder and check that files can be written there.

    Args:
        folder: the folder.
        key: the setting that chose the folder, for the message.

    Raises:
        QbenchError: the folder cannot be made, or files cannot be written there.
        DiskFull: there is no room for the folder or for a file.
    """
    try:
        with room_for(folder):
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=folder):  # on Linux this file has no name
                pass
    except OSError as error:
        raise QbenchError(f"{key}={folder}: cannot be written ({error.strerror}).") from error


def as_csv(rows: Iterable[Mapping[str, Any]]) -> bytes:
    """Rows with equal keys as the content of a CSV file."""
    table = list(rows)
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, list(table[0]) if table else ["step"], lineterminator="\n")
    writer.writeheader()
    writer.writerows(table)
    return buffer.getvalue().encode()


def as_npz(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """Arrays by name as the content of a compressed npz file, without pickles."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **arrays)
    return buffer.getvalue()
