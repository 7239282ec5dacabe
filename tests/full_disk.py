"""A disk that has room for everything but files of some names."""

from __future__ import annotations

import errno
import os
from fnmatch import fnmatch
from pathlib import Path
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
    open_ = Path.open

    def open_half(path: Path, mode: str = "r", *args: Any, **options: Any) -> Any:
        file = open_(path, mode, *args, **options)
        beside = path.name.startswith(".") and path.suffix == ".qbench-tmp"
        name = path.name[1:].removesuffix(".qbench-tmp").rpartition(".")[0]
        return Half(file) if mode == "wb" and beside and fnmatch(name, pattern) else file

    patch.setattr(Path, "open", open_half)
