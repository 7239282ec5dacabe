"""Follows the imports of a file by reading, and finds the modules in its folder tree."""

from __future__ import annotations

import ast
import hashlib
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from qbench.base.errors import QbenchError
from qbench.base.outside.reference import Found, in_folders, is_found_in

# A checkout of qbench may be beside the file; an import of qbench means the running qbench. Python
# never looks for a file that has the name of a module inside it.
_NEVER = frozenset(("qbench", "hydra_plugins", *sys.builtin_module_names))


@dataclass(frozen=True)
class Sources:
    """A file and the modules in its folder tree that it imports, as they were read.

    Attributes:
        main: the absolute path of the file.
        content: the content of every file, by its absolute path.
        tops: the folder of each top-level name that imports in these files use.
    """

    main: Path
    content: dict[Path, bytes] = field(default_factory=dict)
    tops: dict[str, Path] = field(default_factory=dict)

    @property
    def base(self) -> Path:
        """The deepest folder that holds all the files and all the top-level names."""
        folders = [*(file.parent for file in self.content), *self.tops.values()]
        return Path(os.path.commonpath(folders))

    @property
    def sha256(self) -> str:
        """A hash of the content.

        The name of the main file and its folder do not count. The other files count with their
        paths relative to this folder.
        """
        digest = hashlib.sha256(self.content[self.main])
        for name, content in sorted(
            (Path(os.path.relpath(file, self.main.parent)).as_posix(), content)
            for file, content in self.content.items()
            if file != self.main
        ):
            digest.update(f"\0{name}\0{len(content)}\0".encode() + content)
        return digest.hexdigest()


def read(shown: str, found: Found, working: Path) -> Sources:
    """Read a file and, file by file, the modules in its folder tree that it imports.

    The top-level name of an absolute import is looked up in the folder of the main file; then, in
    the folder above every folder of this name in which the file lies; then in the working folder,
    if the file lies below it and Python finds no such module elsewhere. For a dotted name, its own
    top-level package takes the place of the folder of the file. For an installed module only its
    own top-level package counts.

    Args:
        shown: the reference with its key, for error messages.
        found: the file.
        working: the absolute path of the folder in which relative paths begin.

    Raises:
        QbenchError: a file cannot be read, or is not Python.
    """
    sources = Sources(found.file)
    waiting = [found.file, *_packages_of(found)]
    while waiting:
        file = waiting.pop()
        if file in sources.content:
            continue
        sources.content[file] = _bytes(shown, file)
        for imported in _imports(_tree(shown, file, sources.content[file])):
            waiting += _files(imported, file, found, working, sources.tops)
    return sources


def _bytes(shown: str, file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise QbenchError(f"{shown}: {file} cannot be read ({error.strerror}).") from error


def _tree(shown: str, file: Path, content: bytes) -> ast.Module:
    try:
        return ast.parse(content, str(file))
    except SyntaxError as error:
        raise QbenchError(f"{shown}: {file}:{error.lineno}: {error.msg}.") from error
    except (ValueError, RecursionError, MemoryError) as error:
        why = str(error) or "it is nested too deeply"
        raise QbenchError(f"{shown}: {file}: {why}.") from error


@dataclass(frozen=True)
class _Import:
    """An import of a module, and of names that may be modules in it."""

    level: int
    module: tuple[str, ...]
    names: tuple[str, ...] = ()


def _imports(tree: ast.Module) -> Iterator[_Import]:
    """The imports in a module, also those inside functions."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield _Import(0, tuple(alias.name.split(".")))
        elif isinstance(node, ast.ImportFrom):
            module = tuple(node.module.split(".")) if node.module else ()
            yield _Import(node.level, module, tuple(alias.name for alias in node.names))


def _files(
    imported: _Import, file: Path, found: Found, working: Path, tops: dict[str, Path]
) -> list[Path]:
    """The files in the folder tree that an import executes, and packages on the way to them."""
    if imported.level > len(file.parents):
        return []
    if imported.level:
        folder = file.parents[imported.level - 1]
        return [*_package(folder), *_below(folder, imported)]
    top = imported.module[0]
    for folder in [tops[top]] if top in tops else _folders_of(top, found, working):
        files = _below(folder, imported)
        if files == [file] and not is_found_in(folder, top):
            return []  # `import random` in a file random.py
        if files:
            tops[top] = folder
            return files
    return []


def _folders_of(top: str, found: Found, working: Path) -> list[Path]:
    """The folders in which a top-level name is looked up."""
    own = found.module.partition(".")[0]
    if found.installed or top == own:
        return [found.parent] if top == own else []
    if top in _NEVER:
        return []
    above = [one.parent for one in found.file.parents if one.name == top]
    beside = [] if found.module else [found.file.parent, *above]
    here = working in found.file.parents and is_found_in(working, top)
    return [*beside, working] if here else beside


def _below(folder: Path, imported: _Import) -> list[Path]:
    """The files of an import's module, of the packages above it and of the names in it."""
    names = list(imported.module)
    files = [in_folders([folder], names[: end + 1]) for end in range(len(names))]
    inside = folder.joinpath(*names)
    if inside.is_dir():
        files += [in_folders([inside], [name]) for name in imported.names if name != "*"]
    return [file for file in files if file is not None]


def _packages_of(found: Found) -> list[Path]:
    """The packages that Python imports before a module with a dotted name."""
    if not found.module:
        return []
    names = found.module.split(".")[:-1]
    return _below(found.parent, _Import(0, tuple(names))) if names else []


def _package(folder: Path) -> list[Path]:
    file = folder / "__init__.py"
    return [file] if file.is_file() else []
