"""Folders that appear complete, under a name that a finished one never leaves again."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from qbench.base.files import alone_in
from qbench.storage.aside import hidden_name

Look = Callable[[Path], bool]
"""Whether a folder holds what must stay."""


def put(aside: Path, folder: Path, is_finished: Look) -> None:
    """Give a folder beside it the name `folder`, unless what has that name is finished."""
    with alone_in(folder.parent):
        while not is_finished(folder):
            if away := _taken_away(folder, is_finished):
                shutil.rmtree(away, ignore_errors=True)
            with _unless_there(folder):
                os.rename(aside, folder)
                return


def remove(folder: Path, is_finished: Look) -> None:
    """Remove a folder, unless it is finished or not there."""
    if folder.exists():
        with alone_in(folder.parent):
            if away := _taken_away(folder, is_finished):
                shutil.rmtree(away, ignore_errors=True)


def set_aside(folder: Path, name: Path, is_finished: Look) -> bool:
    """Give a folder another name, in place of what has that, unless it is finished.

    Returns:
        Whether it has the other name now.
    """
    with alone_in(folder.parent):
        away = _taken_away(folder, is_finished)
        if away:
            shutil.rmtree(name, ignore_errors=True)
            os.rename(away, name)
        return away is not None


def _taken_away(folder: Path, is_finished: Look) -> Path | None:
    """The hidden name that a folder has got; None if it is finished or not there.

    Another machine, which no lock on a folder may reach, may put a finished one there between the
    look and the renaming. So it is looked at again under a name that nobody else uses, and goes
    back.
    """
    if not folder.exists() or is_finished(folder):
        return None
    away = hidden_name(folder, secrets.token_hex(4))
    try:
        os.rename(folder, away)
    except FileNotFoundError:
        return None
    if not is_finished(away):
        return away
    with _unless_there(folder):
        os.rename(away, folder)
    return None


@contextmanager
def _unless_there(folder: Path) -> Iterator[None]:
    """Pass over that nothing can be put where another machine's folder has just appeared."""
    try:
        yield
    except OSError:
        if not folder.is_dir():
            raise
