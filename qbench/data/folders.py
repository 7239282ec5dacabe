"""Finds the files of a data set in a folder."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from qbench.base.errors import QbenchError


def entries(folder: Path) -> list[Path]:
    """The entries of a folder, by name, without hidden ones; none if it cannot be read."""
    try:
        return sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    except OSError:  # such as lost+found beside the data
        return []


def below(folder: Path) -> list[Path]:
    """The folders in a folder, by name; a folder that links show twice comes once."""
    found = {path.resolve(): path for path in reversed(entries(folder)) if path.is_dir()}
    return sorted(found.values())


def several(folder: Path, what: str, places: Iterable[object]) -> QbenchError:
    """The sentence for a folder that holds a data set more than once."""
    return QbenchError(
        f"data.dir={folder}: holds {what} more than once, {' and '.join(map(str, places))};"
        " expected one: set data.dir to a folder that holds no other."
    )
