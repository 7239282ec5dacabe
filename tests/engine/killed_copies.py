"""Copies of a sweep's folder, each as a kill would leave it at another place of the code.

An audit hook sees every change to the folder before it is made. If the line of qbench that makes it
is new, or the line that called this one, and no copy has the same files, the folder is copied. One
process makes all copies; to be killed at each place, as many processes would have to start.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
from pathlib import Path
from types import FrameType
from typing import Any

CHANGES = ("os.rename", "os.link", "os.remove", "os.rmdir", "os.mkdir", "os.truncate")
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
# In names: random letters, process and thread, and ids.
DISTINCT = re.compile(r"\.\w{8}\.qbench-tmp|\.lock\..*|[0-9a-f]{12}")


def copy_before_changes(folder: Path, copies: Path) -> None:
    """From now on, copy `folder` to `copies/00`, `copies/01`, ... before it changes."""
    places: set[tuple[Any, ...]] = set()
    contents: set[tuple[str, ...]] = set()
    inside = f"{folder}{os.sep}"
    busy = False

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal busy
        if busy or not (event in CHANGES or (event == "open" and _writes(arguments))):
            return
        if not str(arguments[0]).startswith(inside) or not folder.is_dir():
            return
        busy = True
        place, content = (event, *_lines(sys._getframe(1))[:2]), _names(folder)
        if place not in places and content not in contents:
            shutil.copytree(folder, copies / f"{len(contents):02}")
            contents.add(content)
        places.add(place)
        busy = False

    sys.addaudithook(hook)


def _writes(arguments: tuple[Any, ...]) -> bool:
    return isinstance(arguments[2], int) and bool(arguments[2] & WRITES)


def _lines(frame: FrameType | None) -> list[tuple[str, int]]:
    """The lines of qbench that lead to a call, the innermost first."""
    lines = []
    while frame is not None:
        if frame.f_globals.get("__name__", "").startswith("qbench."):
            lines.append((frame.f_code.co_filename, frame.f_lineno))
        frame = frame.f_back
    return lines


def _names(folder: Path) -> tuple[str, ...]:
    names = (str(path.relative_to(folder)) for path in folder.rglob("*"))
    return tuple(sorted(DISTINCT.sub("*", name) for name in names))
