"""Imports code from outside: exactly the content that was read, under names of its own."""

from __future__ import annotations

import builtins
import hashlib
import importlib
import linecache
import re
import sys
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import decode_source, spec_from_loader
from pathlib import Path
from types import ModuleType
from typing import Any

from qbench.base.device import import_tensorflow
from qbench.base.errors import QbenchError
from qbench.base.outside.imports import Sources
from qbench.base.reasons import summary

_PREFIX = "qbench_outside_"
_TENSORFLOW = (b"keras", b"tensorflow")
_OWN_NAME = re.compile(rf"{_PREFIX}\w+\.")  # in messages of Python
# By the name of its root package: every content that this process has imported.
_ROOTS: dict[str, _Root] = {}
# By name: the hash of the content of every installed module at its first import here.
_INSTALLED: dict[str, str] = {}


def import_file(shown: str, sources: Sources) -> ModuleType:
    """Import the main file of these sources.

    The name of its module contains the hash of the content and of the path. So another content, or
    another file of the same name, is another module, and both can be used in one process.

    Raises:
        QbenchError: the file raises an error; the message gives the file and the line.
    """
    root = _root_of(sources)
    if root not in _ROOTS:
        _Finder.install()
        _ROOTS[root] = _Root.of(root, sources)
    names = {file: name for name, file in _ROOTS[root].files.items()}
    return _imported(shown, names[sources.main], sources)


def import_installed(shown: str, name: str, sources: Sources) -> ModuleType:
    """Import an installed module under its own name.

    Raises:
        QbenchError: the module raises an error, or its content has changed since this process
            imported it.
    """
    digest = sources.sha256
    if _INSTALLED.setdefault(name, digest) != digest:
        raise QbenchError(
            f"{shown}: {sources.main} has changed since this process imported it; start again."
        )
    return _imported(shown, name, sources)


def quiet_tensorflow(sources: Sources) -> None:
    """Import TensorFlow without its start-up messages, if these sources use it."""
    if any(word in content for content in sources.content.values() for word in _TENSORFLOW):
        import_tensorflow()


def _root_of(sources: Sources) -> str:
    place = hashlib.sha256(str(sources.main).encode()).hexdigest()
    return f"{_PREFIX}{sources.sha256[:16]}_{place[:8]}"


@dataclass(frozen=True)
class _Root:
    """A root package: the names of the modules and packages below it, with their files.

    Attributes:
        sources: their content.
        files: by name, the file; None for a folder without `__init__.py`.
        tops: by top-level name of an import, the name of its module.
    """

    sources: Sources
    files: Mapping[str, Path | None]
    tops: Mapping[str, str]

    @staticmethod
    def of(name: str, sources: Sources) -> _Root:
        """The root package of this name."""
        base = sources.base
        files: dict[str, Path | None] = {}
        for file in sources.content:
            package = file.name == "__init__.py"
            files[_inside(name, base, file.parent if package else file.with_suffix(""))] = file
        for file in sources.content:
            for folder in file.relative_to(base).parents:
                files.setdefault(_inside(name, base, base / folder), None)
        tops = {top: _inside(name, base, folder / top) for top, folder in sources.tops.items()}
        return _Root(sources, files, tops)

    def is_package(self, name: str) -> bool:
        """Whether a name is that of a package."""
        file = self.files[name]
        return file is None or file.name == "__init__.py"


def _inside(root: str, base: Path, path: Path) -> str:
    """The name of the module of a folder, or of a file without `.py`.

    With `-` for a dot, no name is that of another module that can be imported.
    """
    return ".".join((root, *(part.replace(".", "-") for part in path.relative_to(base).parts)))


def _imported(shown: str, name: str, sources: Sources) -> ModuleType:
    quiet_tensorflow(sources)
    try:
        return importlib.import_module(name)
    except (Exception, SystemExit) as error:
        if isinstance(error, QbenchError):
            raise
        said = summary(error if isinstance(error, Exception) else RuntimeError("it ends Python"))
        said = _OWN_NAME.sub("", said)
        place = _place(error, sources)
        raise QbenchError(f"{shown}: cannot be imported: {said.rstrip('.')}{place}.") from error


def _place(error: BaseException, sources: Sources) -> str:
    """` (file:line)`, the last line of these sources that raised the error."""
    files = {str(file) for file in sources.content}
    lines = [
        frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename in files
    ]
    return f" ({lines[-1].filename}:{lines[-1].lineno})" if lines else ""


class _Finder(MetaPathFinder):
    """Finds the modules below the root packages."""

    @classmethod
    def install(cls) -> None:
        """Make Python's import use it."""
        if not any(isinstance(finder, cls) for finder in sys.meta_path):
            sys.meta_path.insert(0, cls())

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """See `importlib.abc.MetaPathFinder`."""
        root = _ROOTS.get(fullname.partition(".")[0])
        if root is None or fullname not in root.files:
            return None
        loader = _Loader(root, root.files[fullname])
        return spec_from_loader(fullname, loader, is_package=root.is_package(fullname))


class _Loader(Loader):
    """Executes the content of a file as it was read; a folder without a file is an empty module."""

    def __init__(self, root: _Root, file: Path | None) -> None:
        """`file` is a file of the root package."""
        self._root = root
        self._file = file

    def exec_module(self, module: ModuleType) -> None:
        """See `importlib.abc.Loader`."""
        if self._file is None:
            return
        name, content = str(self._file), self._root.sources.content[self._file]
        module.__file__ = name
        importing = {"__import__": _Import(self._root.tops)}
        vars(module)["__builtins__"] = vars(builtins) | importing
        # AutoGraph and tracebacks read lines through linecache; they get what is executed.
        lines = decode_source(content).splitlines(keepends=True)
        linecache.cache[name] = (len(content), None, lines, name)
        exec(compile(content, name, "exec", dont_inherit=True), vars(module))


class _Import:
    """`__import__` for code from outside: names of its folder tree mean its own modules."""

    def __init__(self, tops: Mapping[str, str]) -> None:
        """`tops` has the name of the module of each top-level name."""
        self._tops = tops

    def __call__(
        self,
        name: str,
        globals: Mapping[str, Any] | None = None,
        locals: Mapping[str, Any] | None = None,
        fromlist: Sequence[str] | None = (),
        level: int = 0,
    ) -> ModuleType:
        """See `builtins.__import__`."""
        top, dot, rest = name.partition(".")
        if level or top not in self._tops:
            return builtins.__import__(name, globals, locals, fromlist or (), level)
        inside = f"{self._tops[top]}{dot}{rest}"
        module = builtins.__import__(inside, globals, locals, fromlist or (), 0)
        return module if fromlist else sys.modules[self._tops[top]]
