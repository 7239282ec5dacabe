"""Lists the image files of a folder; opens none of them.

There are two layouts. Parts: `train/`, `test/` and perhaps `validation/`, each with a folder for
each class. Tree: a folder for each class, which `data.split` divides.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from qbench.base.errors import QbenchError
from qbench.base.plain import one_line
from qbench.data.images.division import NAMES, TEST, TRAIN, VALIDATION
from qbench.data.images.options import EXAMPLE
from qbench.data.images.problems import Problems, counted, some

FORMAT_OF = {
    ".png": "PNG",
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".jpe": "JPEG",
    ".jfif": "JPEG",
    ".bmp": "BMP",
    ".dib": "BMP",
    ".webp": "WEBP",
    ".gif": "GIF",
}
"""The format that the ending of a name says, in small letters."""

PART_NAMES = {
    "train": TRAIN,
    "training": TRAIN,
    "test": TEST,
    "testing": TEST,
    "validation": VALIDATION,
    "valid": VALIDATION,
    "val": VALIDATION,
}
"""The part that a name means, in small letters."""

_IGNORED = {"thumbs.db", "ehthumbs.db", "desktop.ini", "__macosx", "@eadir"}


@dataclass(frozen=True)
class Listed:
    """The files of a data set.

    Attributes:
        folder: the folder of the data set.
        names: the names of the classes.
        files, labels: each file and the index of its class.
        parts: the part of each file; None if the files are still to be divided.
        problems: files and links that cannot be used.
        empty: the names of classes whose folder has no file.
    """

    folder: Path
    names: tuple[str, ...]
    files: list[Path]
    labels: list[int]
    parts: list[int] | None
    problems: Problems = field(default_factory=Problems)
    empty: list[str] = field(default_factory=list)

    def shown(self, number: int) -> str:
        """The name of a file in messages and records: its path in the folder of the data set."""
        path = self.files[number]
        return str(path.relative_to(self.folder) if path.is_relative_to(self.folder) else path)

    def without_images(self) -> str:
        """Which folders of classes are empty, as a part of a sentence; empty if none is."""
        if not self.empty:
            return ""
        number, every = len(self.empty), len(self.names)
        return f"{number:,} of {every:,} class folders without an image ({some(self.empty)})"


def listed(folder: Path, divides: bool) -> Listed:
    """The files of a folder with a folder for each class.

    Args:
        folder: the folder.
        divides: whether `data.split` divides them.

    Raises:
        QbenchError: the folder has another layout; the sentence says which.
    """
    where = f"data.dir={folder}"
    folders, images = _inside(folder, where)
    if images:
        raise QbenchError(
            f"{where}: holds {counted(images, 'image')} outside of class folders"
            f" ({some(path.name for path in images)}); expected one folder for each class, or"
            " data=csv with a table of files and labels."
        )
    parts = _parts(where, folders)
    if not parts:
        return _tree(folder, where, folders, divides)
    if divides:
        raise QbenchError(
            f"{where}: has {some(path.name for path in parts.values())}, and data.split divides one"
            " tree of class folders; leave data.split out, or set data.dir to one of these folders."
        )
    return _of_parts(folder, where, parts)


def _tree(folder: Path, where: str, folders: list[Path], divides: bool) -> Listed:
    if len(folders) < 2:
        found = f"one folder, {one_line(folders[0].name)}" if folders else "no folders"
        raise QbenchError(
            f"{where}: holds {found}; expected a folder for each of at least two classes, or train/"
            " and test/ with such folders."
        )
    if not divides:
        raise QbenchError(
            f"{where}: holds {len(folders):,} class folders and no train/ and test/; divide them"
            f" with {EXAMPLE}, the shares of training, validation and test images."
        )
    result = Listed(folder, _names(folders), [], [], None)
    _add_classes(result, folders)
    _note_empty(where, result, folders)
    return result


def _of_parts(folder: Path, where: str, parts: dict[int, Path]) -> Listed:
    classes: dict[int, list[Path]] = {}
    for part, path in parts.items():
        classes[part], images = _inside(path, where)
        if images:
            raise QbenchError(
                f"{where}: {path.name}/ holds {counted(images, 'image')} outside of class folders"
                f" ({some(one.name for one in images)}); expected one folder for each class."
            )
    trained = classes[TRAIN]
    if len(trained) < 2:
        raise QbenchError(
            f"{where}: {parts[TRAIN].name}/ holds {counted(trained, 'folder')}; expected one for"
            " each of at least two classes."
        )
    known = {path.name for path in trained}
    for part, found in classes.items():
        strange = [path.name for path in found if path.name not in known]
        if strange:
            raise QbenchError(
                f"{where}: {counted(strange, 'class')} of {parts[part].name}/ not in"
                f" {parts[TRAIN].name}/ ({some(strange)}); expected training images of each class."
            )
    result = Listed(folder, _names(trained), [], [], [])
    for part in classes:
        _add_classes(result, classes[part], part, [path.name for path in trained])
        if part == TRAIN:
            _note_empty(where, result, trained)
    return result


def _parts(where: str, folders: list[Path]) -> dict[int, Path]:
    """The folders of the parts; empty if these are folders of classes.

    One folder such as `test/` beside others may be a class.
    """
    found: dict[int, Path] = {}
    others = []
    for path in folders:
        part = PART_NAMES.get(path.name.lower())
        if part is None:
            others.append(path.name)
        elif part in found:
            raise QbenchError(
                f"{where}: {found[part].name}/ and {path.name}/ are both {NAMES[part]} images;"
                " expected one of them."
            )
        else:
            found[part] = path
    if TRAIN in found and TEST in found:
        if others:
            raise QbenchError(
                f"{where}: {some(others)} beside {found[TRAIN].name}/ and {found[TEST].name}/;"
                " expected only train/, test/ and validation/ there."
            )
        return found
    if others and (TRAIN in found or len(found) > 1):
        raise QbenchError(
            f"{where}: {some(path.name for path in found.values())} beside {some(others)} may be"
            " parts of the data or classes; for parts expected only train/, test/ and validation/"
            " there, for classes other names (or data=csv with a table of files and labels)."
        )
    if found and not others:
        missing = "test" if TRAIN in found else "train"
        one = found.get(TRAIN) or next(iter(found.values()))
        raise QbenchError(
            f"{where}: has {some(path.name for path in found.values())} and no {missing}/; add it,"
            f" or divide one folder: data.dir={one} {EXAMPLE}."
        )
    return {}


def _add_classes(
    result: Listed, folders: list[Path], part: int | None = None, order: list[str] | None = None
) -> None:
    """Add the files of class folders; `order` has the names of all classes."""
    indices = {name: index for index, name in enumerate(order or [one.name for one in folders])}
    for path in folders:
        for file in _files_below(result, path):
            result.files.append(file)
            result.labels.append(indices[path.name])
            if result.parts is not None and part is not None:
                result.parts.append(part)


def _note_empty(where: str, result: Listed, folders: list[Path]) -> None:
    """Note which folders of classes have no file; QbenchError if none has one."""
    full = set(result.labels)
    result.empty.extend(path.name for index, path in enumerate(folders) if index not in full)
    if not full and not result.problems:
        raise QbenchError(f"{where}: {result.without_images()}; add images.")


def _inside(folder: Path, where: str) -> tuple[list[Path], list[Path]]:
    """The folders and the image files directly in a folder, sorted by name."""
    folders, images = [], []
    try:
        for entry in sorted(os.scandir(folder), key=lambda one: one.name):
            if is_ignored(entry.name):
                continue
            if _is_folder(entry):
                folders.append(folder / entry.name)
            elif Path(entry.name).suffix.lower() in FORMAT_OF:
                images.append(folder / entry.name)
    except OSError as error:
        raise QbenchError(f"{where}: {folder} cannot be read ({error.strerror}).") from error
    return folders, images


def is_ignored(name: str) -> bool:
    """Whether a name is hidden, or a file that file managers leave behind."""
    return name.startswith(".") or name.lower() in _IGNORED


def _files_below(result: Listed, top: Path) -> Iterator[Path]:
    """The files of a class, also those in folders of its folder; each real folder once."""
    seen: set[tuple[int, int]] = set()
    waiting = [(top, _above(top))]
    while waiting:
        folder, above = waiting.pop()
        shown = str(folder.relative_to(result.folder))
        try:
            found = os.stat(folder)
            entries = sorted(os.scandir(folder), key=lambda one: one.name)
        except OSError as error:
            result.problems.add("unreadable", shown, error.strerror or "")
            continue
        place = (found.st_dev, found.st_ino)
        if place in above:
            result.problems.add("loop", shown)
        if place in above or place in seen:
            continue
        seen.add(place)
        for entry in entries:
            if is_ignored(entry.name):
                continue
            if _is_folder(entry):
                waiting.append((folder / entry.name, above | {place}))
            else:
                yield folder / entry.name


def _above(folder: Path) -> frozenset[tuple[int, int]]:
    """Device and number of every folder above a folder, also above the target of a link."""
    found = set()
    for one in {*folder.absolute().parents, *folder.resolve().parents}:
        with suppress(OSError):
            status = os.stat(one)
            found.add((status.st_dev, status.st_ino))
    return frozenset(found)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False


def _names(folders: list[Path]) -> tuple[str, ...]:
    return tuple(one_line(path.name) for path in folders)
