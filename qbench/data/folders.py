"""Finds the files of a data set in a folder."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from qbench.base.errors import QbenchError


def entries(folder: Path) -> list[Path]:
    """The entries of a folder, sorted by name, without hidden ones; empty if it is unreadable."""
    try:
        return sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    except OSError:  # such as lost+found beside the data
        return []


def below(folder: Path) -> list[Path]:
    """The folders in a folder, sorted by name; a folder with several links to it comes once."""
    found = {path.resolve(): path for path in reversed(entries(folder)) if path.is_dir()}
    return sorted(found.values())


def several(folder: Path, what: str, places: Iterable[object]) -> QbenchError:
    """The error for a folder that holds a data set more than once."""
    return QbenchError(
        f"data.dir={folder}: holds {what} more than once, {' and '.join(map(str, places))};"
        " expected one: set data.dir to a folder that holds no other."
    )
