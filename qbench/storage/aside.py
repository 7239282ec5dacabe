"""Writes files and folders under a hidden name until they are complete.

While a process writes such a file or folder, it holds a lock on it. So other processes on this
machine can distinguish it from an incomplete one that a killed process has left.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from qbench.base.files import alone_in

_SUFFIX = ".qbench-tmp"


def hidden_name(path: Path, distinct: str) -> Path:
    """The name of `path` until it is complete, and while it is removed.

    Args:
        path: the file or folder.
        distinct: a text that no other process uses for this path.
    """
    return path.with_name(f".{path.name}.{distinct}{_SUFFIX}")


@contextmanager
def file_beside(path: Path) -> Iterator[Path]:
    """An empty file beside `path` for its content; removed at the end if it is still there."""
    with _kept(lambda: _new_file(path)) as beside:
        yield beside


@contextmanager
def folder_beside(folder: Path) -> Iterator[Path]:
    """An empty folder beside `folder` for its files; removed at the end if it is still there."""
    with _kept(lambda: _new_folder(folder)) as beside:
        yield beside


def sweep_up(folders: Iterable[Path]) -> None:
    """Remove incomplete files and folders of killed processes from these folders.

    A file or folder that a process on this machine is writing stays. On a file system without locks
    everything stays.
    """
    for folder in folders:
        if any(_hidden(folder)):
            with alone_in(folder):
                for path in _hidden(folder):
                    _remove_if_left(path)


def _hidden(folder: Path) -> Iterator[Path]:
    return folder.glob(f".*.*{_SUFFIX}")


def _new_file(path: Path) -> Path:
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=_SUFFIX, dir=path.parent)
    os.close(handle)
    return Path(name)


def _new_folder(path: Path) -> Path:
    return Path(tempfile.mkdtemp(prefix=f".{path.name}.", suffix=_SUFFIX, dir=path.parent))


@contextmanager
def _kept(make: Callable[[], Path]) -> Iterator[Path]:
    """Make a file or folder and lock it; if another process removes it first, make a new one."""
    while True:
        beside = make()
        with suppress(FileNotFoundError):
            handle = os.open(beside, os.O_RDONLY)
            with suppress(OSError):  # some network file systems have no locks
                fcntl.flock(handle, fcntl.LOCK_EX)
            if beside.exists():
                break
            os.close(handle)
    try:
        yield beside
    finally:
        _remove(beside)
        os.close(handle)


def _remove_if_left(path: Path) -> None:
    """Remove a file or folder unless a process holds the lock on it."""
    with suppress(FileNotFoundError):
        handle = os.open(path, os.O_RDONLY)
        try:
            with suppress(OSError):
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                _remove(path)
        finally:
            os.close(handle)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
