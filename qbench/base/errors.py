"""Exceptions for mistakes that a person can correct, and for conditions outside qbench."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any


class QbenchError(Exception):
    """A mistake of the user or a condition outside the program, in one sentence.

    The command line prints the message and exits, without a traceback. The exception has a single
    argument, the message, so that it survives pickling between worker processes.
    """


class NotConvertible(QbenchError):
    """No file can be made of this network; another attempt would not help.

    Attributes:
        export: the text for the column `export`.
    """

    export = "none"


class WrongFile(NotConvertible):
    """A file was made, but it gives wrong answers or cannot be run."""

    export = "failed"


class DiskFull(QbenchError):
    """A disk is full or a quota is used up; no part of the file stays."""


class Diverged(Exception):
    """Training produced a loss that is not finite; the argument is the step (0-based)."""


def all_of(where: str, *checks: Callable[[], Any]) -> list[Any]:
    """The results of checks; one error says everything that they refuse.

    Args:
        where: the beginning of their messages, before a colon; it is said once.
        checks: the checks; QbenchError if something is wrong.
    """
    results, errors = [], []
    for check in checks:
        try:
            results.append(check())
        except QbenchError as error:
            errors.append(error)
    if len(errors) > 1:
        said = (str(one).removeprefix(f"{where}: ").removesuffix(".") for one in errors)
        raise QbenchError(f"{where}: {'; '.join(dict.fromkeys(said))}.")
    if errors:
        raise errors[0]
    return results


_FULL = (errno.ENOSPC, errno.EDQUOT)
# Python's message if it can write to no folder for temporary files.
_NO_FOLDER = "No usable temporary directory found"


def disk_full(error: BaseException, file: Path | None = None) -> DiskFull | None:
    """The error for an exception that a full disk caused; None for every other exception.

    Args:
        error: the exception. A full disk may have caused it, or one of the exceptions before it.
            Libraries in C++ give no error number for this, only the message of the system.
        file: the file that did not fit, if it is known.
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
