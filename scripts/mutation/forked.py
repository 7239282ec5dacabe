"""One mutant in a process of its own, forked once all tests are collected."""

from __future__ import annotations

import gc
import importlib.machinery
import linecache
import os
import signal
import sys
import time
from collections.abc import Iterator
from types import CodeType, FunctionType
from typing import Any

import pytest

from mutation.mutant import Mutant

HANGS_AFTER_S = 120
OWN = ("qbench", "hydra_plugins", "tests")  # folders of what is imported anew


def try_out(mutant: Mutant, tests: list[str], session: Any) -> str:
    """killed, survived, hangs, or untested where no test reaches it."""
    if not tests:
        return "untested"
    child = os.fork()
    if not child:
        os.setsid()
        try:
            failed = _in_child(mutant, tests, session)
        except BaseException:
            failed = True
        os._exit(failed)
    until = time.monotonic() + HANGS_AFTER_S
    while time.monotonic() < until:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return "survived" if status == 0 else "killed"
        time.sleep(0.02)
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return "hangs"


def _in_child(mutant: Mutant, tests: list[str], session: Any) -> bool:
    """Whether a test fails."""
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 1)
    os.dup2(nothing, 2)
    text, path = mutant.text(), os.path.abspath(mutant.file)
    # For inspect too, by which TensorFlow's autograph reads a function.
    linecache.cache[path] = (len(text), None, text.splitlines(keepends=True), path)
    if not _exchanged(compile(text, path, "exec"), path):
        return _anew(text, path, tests)
    items = {item.nodeid: item for item in session.items}
    for test in tests:
        item = items[test]
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=None)
        if session.testsfailed:
            return True
    return False


def _exchanged(module: CodeType, path: str) -> bool:
    """Give the functions of an imported module their new code; whether one of them changed."""
    new, changed = {_key(code): code for code in _codes(module)}, False
    for function in gc.get_objects():
        if isinstance(function, FunctionType) and function.__code__.co_filename == path:
            code = new[_key(function.__code__)]
            changed |= code != function.__code__
            function.__code__ = code
    return changed


def _codes(code: CodeType) -> Iterator[CodeType]:
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            yield inner
            yield from _codes(inner)


def _key(code: CodeType) -> tuple[str, int]:
    return code.co_qualname, code.co_firstlineno


def _anew(text: str, path: str, tests: list[str]) -> bool:
    """Whether a test fails once own code is imported anew: the change is in no function."""
    own = tuple(os.path.abspath(folder) + os.sep for folder in OWN)
    for name, module in list(sys.modules.items()):
        if (getattr(module, "__file__", None) or "").startswith(own):
            del sys.modules[name]
    loader = importlib.machinery.SourceFileLoader
    get_code = loader.get_code

    def mutated(self: Any, name: str) -> Any:
        return compile(text, path, "exec") if self.path == path else get_code(self, name)

    loader.get_code = mutated
    return pytest.main(["-x", "-q", "-p", "no:cacheprovider", *tests]) != 0
