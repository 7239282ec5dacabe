"""What qbench raises for a mistake that a person can mend."""

from __future__ import annotations

import errno
import os
from pathlib import Path


class QbenchError(Exception):
    """A mistake of the user's or a condition outside the program, told in one sentence.

    The command line prints the message and exits; it never shows a traceback for it. There is a
    single message argument, so that the exception survives pickling between worker processes.
    """


class NotConvertible(QbenchError):
    """No file can be made of this network, however often it is tried.

    Attributes:
        export: what tables say of such a run's file.
    """

    export = "none"


class WrongFile(NotConvertible):
    """A file was made, run, and found to give wrong answers."""

    export = "failed"


class DiskFull(QbenchError):
    """A disk has no room for a file, or a quota is used up; nothing of the file is left."""


class Diverged(Exception):
    """Training produced a loss that is not finite; the argument is the step (0-based)."""


_FULL = (errno.ENOSPC, errno.EDQUOT)
# Python's words where none of the folders for temporary files takes one.
_NO_FOLDER = "No usable temporary directory found"


def disk_full(error: BaseException, file: Path | None = None) -> DiskFull | None:
    """What to say where a full disk is behind an exception; None for every other exception.

    Args:
        error: it, or what it was raised from or during, comes from the full disk. Libraries in C++
            have no number for that, only the system's words.
        file: what there was no room for, if that is known.
    """
    if isinstance(error, DiskFull):
        return error
    seen: list[BaseException] = []
    link: BaseException | None = error
    while link is not None and link not in seen:
        if _NO_FOLDER in str(link):
            return _no_room("temporary files")
        numbered = isinstance(link, OSError) and link.errno in _FULL
        if numbered or any(os.strerror(code) in str(link) for code in _FULL):
            return _no_room(file or getattr(link, "filename", None) or "what is to be written")
        seen.append(link)
        link = link.__cause__ or link.__context__
    return None


def _no_room(what: object) -> DiskFull:
    return DiskFull(
        f"disk full: no room for {what}; make room, and the same command goes on from here."
    )
