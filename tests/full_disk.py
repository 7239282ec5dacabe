"""A disk that has room for everything but files of some names."""

from __future__ import annotations

import errno
import os
import tempfile
from fnmatch import fnmatch
from typing import Any

import pytest


def refuse(*_: Any, **__: Any) -> None:
    """What the system says to whoever writes to a full disk."""
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


class Half:
    """A file that takes half of what it is given and is full then."""

    def __init__(self, file: Any) -> None:
        self._file = file

    def __enter__(self) -> Half:
        return self

    def __exit__(self, *error: object) -> None:
        self._file.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def write(self, content: bytes) -> None:
        self._file.write(content[: len(content) // 2])
        self._file.flush()
        refuse()


def no_room_for(pattern: str, patch: pytest.MonkeyPatch) -> None:
    """Let files that are written atomically, and whose name matches, find no room."""
    make, open_ = tempfile.mkstemp, os.fdopen
    half = set()

    def mkstemp(*args: Any, **options: Any) -> tuple[int, str]:
        handle, path = make(*args, **options)
        if fnmatch(options.get("prefix", "")[1:-1], pattern):
            half.add(handle)
        return handle, path

    def fdopen(handle: int, *args: Any, **options: Any) -> Any:
        file = open_(handle, *args, **options)
        if handle not in half:
            return file
        half.discard(handle)
        return Half(file)

    patch.setattr(tempfile, "mkstemp", mkstemp)
    patch.setattr(os, "fdopen", fdopen)
