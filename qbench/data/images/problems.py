"""Files that cannot be used: collected, said in one message, or left out and recorded."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sized
from typing import Any

from qbench.base.errors import QbenchError
from qbench.base.plain import one_line
from qbench.data.images.options import SKIP

# The kinds in the order of messages, with their names for one file and for several.
_KINDS = {
    "damaged": "damaged",
    "empty": "empty",
    "unreadable": "unreadable",
    "loop": "a loop of links",
    "too large": "too large",
    "no image": "no image",
    "misnamed": "wrongly named",
    "two classes": "in several classes",
    "two parts": "in several parts",
}
_NAMED = 5  # names in other messages
_SHOWN = 10  # files of a kind that a message names
_RECORDED = 100  # files of a kind that a record names


def counted(things: Sized, noun: str) -> str:
    """`1 class`, `2 classes`."""
    ending = "" if len(things) == 1 else "es" if noun.endswith("s") else "s"
    return f"{len(things):,} {noun}{ending}"


def some(names: Iterable[str]) -> str:
    """The first names, and how many more there are."""
    found = list(names)
    more = f" and {len(found) - _NAMED:,} more" if len(found) > _NAMED else ""
    return ", ".join(map(one_line, found[:_NAMED])) + more


class Problems:
    """Files that cannot be used, by kind."""

    def __init__(self) -> None:
        """No file yet."""
        self._found: dict[str, dict[str, str]] = {kind: {} for kind in _KINDS}

    def add(self, kind: str, file: str, detail: str = "") -> None:
        """Add a file, once for each kind.

        Args:
            kind: a key of the kinds above.
            file: the name of the file.
            detail: what was found; may be empty.
        """
        self._found[kind].setdefault(one_line(file), one_line(detail))

    def update(self, others: Problems) -> None:
        """Add the files of others."""
        for kind, file, detail in others:
            self.add(kind, file, detail)

    def __iter__(self) -> Iterator[tuple[str, str, str]]:
        """Kind, name and detail of each."""
        for kind, files in self._found.items():
            for file, detail in files.items():
                yield kind, file, detail

    def __len__(self) -> int:
        """The number of files; a file with two problems counts once."""
        return len({name for files in self._found.values() for name in files})

    def __bool__(self) -> bool:
        return any(self._found.values())

    def refuse_or_skip(self, where: str, files: int, damaged: str, empty: str = "") -> None:
        """Refuse the files, unless the user wants to leave them out.

        Args:
            where: the name of the data set and its folder.
            files: the number of all files.
            damaged: the setting `data.damaged`.
            empty: which folders of classes are empty; these cannot be left out.

        Raises:
            QbenchError: there are such files and they shall not be left out, or such folders.
        """
        if self and damaged != SKIP:
            raise QbenchError(
                f"{where}: {len(self):,} of {files:,} files cannot be used: {self.listed()};"
                + (f" {empty};" if empty else "")
                + " mend or remove them, or leave out files with data.damaged=skip."
            )
        if empty:
            raise QbenchError(f"{where}: {empty}; remove them, or add images.")

    def note(self) -> str:
        """What was left out, for every table; empty if nothing."""
        if not self:
            return ""
        return f"{counted(self, 'file')} left out: {', '.join(self._counts())}"

    def as_record(self) -> dict[str, Any]:
        """Plain data for a record: by kind, the number of files and the first names."""
        return {
            _KINDS[kind]: {"count": len(files), "files": sorted(files)[:_RECORDED]}
            for kind, files in self._found.items()
            if files
        }

    def _counts(self) -> Iterable[str]:
        return (f"{len(files):,} {_KINDS[kind]}" for kind, files in self._found.items() if files)

    def listed(self) -> str:
        """The kinds with their numbers of files, and the names of the first files of each."""
        kinds = zip(self._counts(), (one for one in self._found.values() if one), strict=True)
        return ", ".join(f"{count} ({_names(files)})" for count, files in kinds)


def _names(files: dict[str, str]) -> str:
    named = [f"{name}: {files[name]}" if files[name] else name for name in sorted(files)]
    more = f" and {len(named) - _SHOWN:,} more" if len(named) > _SHOWN else ""
    return "; ".join(named[:_SHOWN]) + more
