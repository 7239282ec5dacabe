"""References to code from outside, and the files that they mean."""

from __future__ import annotations

import importlib.util
import os
from dataclasses import dataclass
from pathlib import Path

from qbench.base.errors import QbenchError
from qbench.base.paths import given

FORMS = "FILE.py:NAME or package.module:NAME"


@dataclass(frozen=True)
class Found:
    """The file of a reference.

    Attributes:
        file: its absolute path.
        module: the dotted name, if the reference has one; else empty.
        installed: whether Python itself finds this module, in every folder.
    """

    file: Path
    module: str = ""
    installed: bool = False

    @property
    def parent(self) -> Path:
        """The folder that holds the file or, for a dotted name, its top-level package."""
        return self.file.parents[self.module.count(".") + (self.file.name == "__init__.py")]


def is_reference(value: object) -> bool:
    """Whether a value of the configuration refers to code from outside."""
    return isinstance(value, str) and ":" in value


def parts(shown: str, name: str) -> tuple[str, str]:
    """The file or module of a reference, and the name in it.

    Args:
        shown: the reference with its key, for error messages.
        name: the reference.

    Raises:
        QbenchError: the text has another form.
    """
    place, _, wanted = name.rpartition(":")
    if not wanted.isidentifier() or not place or not (_is_file(place) or _is_module(place)):
        raise QbenchError(f"{shown}: expected {FORMS}.")
    return place, wanted


def find(shown: str, place: str, folder: Path) -> Found:
    """The file of a reference.

    Args:
        shown: the reference with its key, for error messages.
        place: the file or module of the reference.
        folder: the folder in which relative paths begin.

    Raises:
        QbenchError: there is no such file or module.
    """
    if _is_file(place):
        file = _absolute(folder / given(place))
        if not file.is_file():
            raise QbenchError(f"{shown}: no such file ({file}).")
        return Found(file)
    beside = in_folders([folder], place.split("."))
    if beside is not None:
        return Found(beside, place)
    installed = find_module(place)
    if installed is None:
        raise QbenchError(f"{shown}: no module {place} is installed or in {folder}.")
    return installed


def find_module(name: str) -> Found | None:
    """The file of an installed module; None if there is none. Nothing is imported."""
    top, *rest = name.split(".")
    try:
        spec = importlib.util.find_spec(top)
    except (ImportError, ValueError):
        return None
    if spec is None:
        return None
    if rest:
        folders = [Path(one) for one in spec.submodule_search_locations or ()]
        file = in_folders(folders, rest)
    else:
        file = Path(spec.origin) if spec.origin and spec.has_location else None
    return Found(Path(os.path.abspath(file)), name, True) if file and file.suffix == ".py" else None


def is_found_in(folder: Path, top: str) -> bool:
    """Whether a top-level module is in a folder, for all that Python knows: not only elsewhere."""
    try:
        spec = importlib.util.find_spec(top)
    except (ImportError, ValueError):
        return False
    if spec is None:
        return True
    places = [*(spec.submodule_search_locations or ()), spec.origin if spec.has_location else ""]
    return any(one and folder in Path(one).absolute().parents for one in places)


def in_folders(folders: list[Path], names: list[str]) -> Path | None:
    """The file of a module with this dotted name in the first of the folders that has one."""
    for folder in folders:
        path = folder.joinpath(*names)
        for file in (path / "__init__.py", path.with_name(f"{path.name}.py")):
            if file.is_file():
                return file
    return None


def _absolute(path: Path) -> Path:
    """The absolute path; `..` behind a symbolic link is the folder above the link's target."""
    path = path.parent.resolve() / path.name if ".." in path.parts else path
    return Path(os.path.abspath(path))


def _is_file(place: str) -> bool:
    return place.endswith(".py")


def _is_module(place: str) -> bool:
    return all(part.isidentifier() for part in place.split("."))
