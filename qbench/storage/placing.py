"""Puts complete folders in place, and never replaces or removes a finished one."""

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
"""A function that says whether a folder is finished; a finished folder must stay."""


def put(aside: Path, folder: Path, is_finished: Look) -> None:
    """Rename the folder `aside`, which lies beside `folder`, to `folder`.

    An unfinished `folder` is removed first. If `folder` is finished, nothing is done.
    """
    with alone_in(folder.parent):
        while not is_finished(folder):
            if away := _taken_away(folder, is_finished):
                shutil.rmtree(away, ignore_errors=True)
            with _unless_there(folder):
                os.rename(aside, folder)
                return


def remove(folder: Path, is_finished: Look) -> None:
    """Remove a folder, unless it is finished or does not exist."""
    if folder.exists():
        with alone_in(folder.parent):
            if away := _taken_away(folder, is_finished):
                shutil.rmtree(away, ignore_errors=True)


def set_aside(folder: Path, name: Path, is_finished: Look) -> bool:
    """Rename a folder to `name`, unless it is finished; a folder of this name is replaced.

    Returns:
        Whether the folder was renamed.
    """
    with alone_in(folder.parent):
        away = _taken_away(folder, is_finished)
        if away:
            shutil.rmtree(name, ignore_errors=True)
            os.rename(away, name)
        return away is not None


def _taken_away(folder: Path, is_finished: Look) -> Path | None:
    """Rename a folder to a hidden name, unless it is finished or does not exist.

    The lock on the parent folder may not reach another machine, which may put a finished folder
    there between the check and the renaming. So the folder is checked again under its hidden
    name. If it is finished, it gets its old name back.

    Returns:
        The hidden name; None if the folder is finished or does not exist.
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
    """Ignore the error if another machine has just put a folder at this place."""
    try:
        yield
    except OSError:
        if not folder.is_dir():
            raise
