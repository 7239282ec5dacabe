"""What names of code from outside mean during a command or a job."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType

from qbench.base.outside import imports, modules, reference
from qbench.base.outside.given import GivenFile
from qbench.base.outside.imports import Sources
from qbench.base.outside.reference import Found


@dataclass(frozen=True)
class Code:
    """The content that a name from outside stands for.

    Attributes:
        name: the last part of the name: the name in the file.
        sha256: the hash of the content, see `Sources.sha256`.
        found: the file.
        sources: the content.
    """

    name: str
    sha256: str
    found: Found
    sources: Sources = field(repr=False, compare=False)

    def defines(self, kind: type) -> bool:
        """Whether a class is defined in these files."""
        file = getattr(sys.modules.get(kind.__module__), "__file__", None)
        return file is not None and Path(file) in self.sources.content


@dataclass
class _Session:
    folder: Path
    found: dict[str, Code] = field(default_factory=dict)
    files: dict[tuple[str, str], GivenFile] = field(default_factory=dict)


_SESSION: ContextVar[_Session | None] = ContextVar("session", default=None)


@contextmanager
def session(folder: Path | str | None = None) -> Iterator[None]:
    """A context in which every name of code from outside keeps the content that it has first.

    Args:
        folder: the folder in which relative paths begin; None for the working folder.
    """
    token = _SESSION.set(_Session(Path(folder or "").absolute()))
    try:
        yield
    finally:
        _SESSION.reset(token)


def folder() -> Path:
    """The absolute path of the folder in which relative paths begin."""
    current = _SESSION.get()
    return current.folder if current else Path().absolute()


def files() -> dict[tuple[str, str], GivenFile]:
    """The files that the session has read, by key and value; it takes up new ones."""
    current = _SESSION.get()
    return current.files if current else {}


def code(key: str, name: str) -> Code:
    """The content that a reference stands for; nothing is imported.

    Args:
        key: the configuration key that has this value, for error messages.
        name: the reference.

    Raises:
        QbenchError: there is no such file or module, or it cannot be read.
    """
    current = _SESSION.get()
    kept = current.found.get(name) if current else None
    if kept is not None:
        return kept
    shown = as_typed(key, name)
    place, wanted = reference.parts(shown, name)
    found = reference.find(shown, place, folder())
    made = _code(shown, wanted, found)
    if current:
        current.found[name] = made
    return made


def code_of_module(name: str) -> Code | None:
    """The content of an installed module; None if it has no file of Python."""
    current = _SESSION.get()
    if current and name in current.found:
        return current.found[name]
    found = reference.find_module(name)
    made = _code(name, name, found) if found else None
    if current and made:
        current.found[name] = made
    return made


def _code(shown: str, name: str, found: Found) -> Code:
    sources = imports.read(shown, found, folder())
    return Code(name, sources.sha256, found, sources)


def module_of(key: str, name: str) -> ModuleType:
    """The module of a reference, imported from the content that `code` gives.

    Raises:
        QbenchError: see `code`; or the module raises an error.
    """
    meant, shown = code(key, name), as_typed(key, name)
    if meant.found.installed:
        return modules.import_installed(shown, meant.found.module, meant.sources)
    return modules.import_file(shown, meant.sources)


def as_typed(key: str, name: str) -> str:
    """A reference with its key: `model=nets/mine.py:build`."""
    return f"{key.removesuffix('.name')}={name}"
