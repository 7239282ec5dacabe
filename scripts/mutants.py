"""Mutation tests: changes one place of a module at a time and asks whether a test fails.

    python scripts/mutants.py reach REACH.json [PYTEST ARGUMENT ...]
    python scripts/mutants.py run REACH.json RESULT.json SECONDS FILE ...

`reach` runs tests once and notes which line each of them runs, and how long it takes; it needs the
package `coverage`. What the file holds of other tests stays.

`run` makes the mutants of each file. Each is tried in a process of its own, forked once all tests
are collected, by the tests that run its line, the quickest first, until one fails or SECONDS of
tests have passed. What the result holds is not tried again, unless it survived and there are more
tests for it now. See docs/testing.md.
"""

from __future__ import annotations

import ast
import gc
import importlib.machinery
import json
import linecache
import os
import signal
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any

QUICK_S = 0.05  # a test that is tried in all its variants, and before any other
AT_IMPORT = 150  # so many of the quickest tests, for what runs when a module is imported
HANGS_AFTER_S = 120
KILLED = ("killed", "hangs")

COMPARISONS = {
    ast.Eq: "!=",
    ast.NotEq: "==",
    ast.Lt: "<=",
    ast.LtE: "<",
    ast.Gt: ">=",
    ast.GtE: ">",
    ast.Is: "is not",
    ast.IsNot: "is",
    ast.In: "not in",
    ast.NotIn: "in",
}
ARITHMETIC = {
    ast.Add: "-",
    ast.Sub: "+",
    ast.Mult: "/",
    ast.Div: "*",
    ast.FloorDiv: "*",
    ast.Mod: "*",
    ast.Pow: "*",
    ast.MatMult: "*",
}
SWAPPED = {
    "min": "max",
    "max": "min",
    "any": "all",
    "all": "any",
    "minimum": "maximum",
    "maximum": "minimum",
    "reduce_min": "reduce_max",
    "reduce_max": "reduce_min",
    "floor": "ceil",
}
Change = tuple[Any, str]

_text = ast.unparse


@dataclass(frozen=True)
class Mutant:
    """A module's text with one place changed.

    Attributes:
        file: of the module, relative to the repository.
        line: the first line of what is changed.
        last: its last line.
        before: what stands there.
        after: what stands there instead.
        start: where it begins in the file's text, in bytes.
        end: where it ends.
    """

    file: str
    line: int
    last: int
    before: str
    after: str
    start: int
    end: int

    def text(self) -> str:
        """The whole module; every other line keeps its number."""
        whole = Path(self.file).read_bytes()
        lines = self.before.count("\n") - self.after.count("\n")
        return (
            whole[: self.start] + (self.after + "\n" * lines).encode() + whole[self.end :]
        ).decode()


def mutants(file: str) -> list[Mutant]:
    """The mutants of a file, in their order there; those that cannot be compiled are left out."""
    text = Path(file).read_text()
    offsets = [0]
    for row in text.encode().splitlines(keepends=True):
        offsets.append(offsets[-1] + len(row))
    found: dict[tuple[int, int, str], Mutant] = {}
    for node, after in _changes(ast.parse(text)):
        start = offsets[node.lineno - 1] + node.col_offset
        end = offsets[node.end_lineno - 1] + node.end_col_offset
        before = text.encode()[start:end].decode()
        one = Mutant(file, node.lineno, node.end_lineno, before, after, start, end)
        if before != after and _compiles(one):
            found[start, end, after] = one
    return sorted(found.values(), key=lambda one: (one.start, one.end))


def _compiles(mutant: Mutant) -> bool:
    try:
        compile(mutant.text(), mutant.file, "exec")
    except SyntaxError:
        return False
    return True


def _changes(tree: ast.AST) -> Iterator[Change]:
    """Every change of a tree but those of annotations, docstrings, messages and imports."""
    if isinstance(tree, ast.Raise | ast.Import | ast.ImportFrom | ast.Assert):
        return
    if isinstance(tree, ast.If) and "TYPE_CHECKING" in ast.unparse(tree.test):
        return
    yield from _changes_of(tree)
    for name, value in ast.iter_fields(tree):
        if name in ("annotation", "returns", "type_params"):
            continue
        for child in value if isinstance(value, list) else [value]:
            is_text = isinstance(child, ast.Expr) and isinstance(child.value, ast.Constant)
            if isinstance(child, ast.AST) and not is_text:
                yield from _changes(child)


def _changes_of(node: ast.AST) -> Iterator[Change]:
    for made in (_of_logic, _of_numbers, _of_statements, _of_calls):
        yield from made(node)


def _of_logic(node: ast.AST) -> Iterator[Change]:
    match node:
        case ast.Compare(left=left, ops=[op], comparators=[right]):
            yield node, f"({_text(left)} {COMPARISONS[type(op)]} {_text(right)})"
            if isinstance(right, ast.Tuple):
                yield from _one_less(right)
        case ast.BoolOp(values=values, op=op):
            word = " and " if isinstance(op, ast.And) else " or "
            for left_out in values:
                kept = [f"({_text(one)})" for one in values if one is not left_out]
                yield node, f"({word.join(kept)})"
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            yield node, f"({_text(operand)})"
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            yield node, _text(left)
            if not (isinstance(left, ast.BinOp) and isinstance(left.op, ast.BitOr)):
                yield node, _text(right)
        case ast.Set(elts=[_, _, *_]):
            yield from _one_less(node)


def _of_numbers(node: ast.AST) -> Iterator[Change]:
    match node:
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            yield node, f"({_text(operand)})"
        case ast.BinOp(left=left, op=op, right=right) if type(op) in ARITHMETIC:
            yield node, f"(({_text(left)}) {ARITHMETIC[type(op)]} ({_text(right)}))"
        case ast.Constant(value=bool() as value):
            yield node, str(not value)
        case ast.Constant(value=int() | float() as value):
            yield node, str(value + 1)


def _of_statements(node: ast.AST) -> Iterator[Change]:
    match node:
        case ast.IfExp(body=body, orelse=orelse):
            yield node, f"({_text(body)})"
            yield node, f"({_text(orelse)})"
        case ast.If(test=test):
            yield test, "True"
            yield test, "False"
        case ast.comprehension(ifs=ifs):
            for test in ifs:
                yield test, "True"
        case ast.Expr(value=ast.Call()):
            yield node, "pass"
        case ast.Return(value=ast.Call() | ast.Name() | ast.Attribute()):
            yield node, "return None"


def _of_calls(node: ast.AST) -> Iterator[Change]:
    match node:
        case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name) as called, args=args):
            if name in SWAPPED:
                yield called, _text(called).removesuffix(name) + SWAPPED[name]
            if name == "stop_gradient":
                yield node, f"({_text(args[0])})"


def _one_less(node: Any) -> Iterator[Change]:
    """A tuple or set without one of its elements."""
    for left_out in node.elts:
        kept = [_text(one) for one in node.elts if one is not left_out]
        whole = ", ".join(kept) + ","
        yield node, f"({whole})" if isinstance(node, ast.Tuple) else f"{{{whole}}}"


class _Reach:
    """A plugin of pytest that notes the lines and the time of each test."""

    def __init__(self) -> None:
        import coverage

        self.coverage = coverage.Coverage(data_file=None, source=["qbench"], config_file=False)
        self.coverage.start()
        self.times: dict[str, float] = {}

    def pytest_runtest_setup(self, item: Any) -> None:
        """Lines count for this test from here on."""
        self.coverage.switch_context(item.nodeid)

    def pytest_runtest_logreport(self, report: Any) -> None:
        """The sum of setting up, calling and tearing down; only tests that pass are of use."""
        took = float("inf") if report.failed else report.duration
        self.times[report.nodeid] = self.times.get(report.nodeid, 0.0) + took

    def save(self, path: str) -> None:
        """Write both as JSON."""
        self.coverage.stop()
        data, lines = self.coverage.get_data(), {}
        for file in data.measured_files():
            by_line = data.contexts_by_lineno(file)
            lines[os.path.relpath(file)] = {k: [c for c in v if c] for k, v in by_line.items()}
        out = Path(path)
        known = json.loads(out.read_text()) if out.exists() else {"times": {}, "lines": {}}
        for file, by_line in lines.items():
            held = known["lines"].setdefault(file, {})
            for row, tests in by_line.items():
                held[str(row)] = sorted({*held.get(str(row), ()), *tests})
        known["times"] |= {test: took for test, took in self.times.items() if took < float("inf")}
        out.write_text(json.dumps(known))


def reach(path: str, *arguments: str) -> int:
    """Run tests and write down what each reaches."""
    import pytest

    plugin = _Reach()
    code = pytest.main(["-q", "-p", "no:cacheprovider", *arguments], plugins=[plugin])
    plugin.save(path)
    return int(code)


def tests_of(mutant: Mutant, known: Any, seconds: float) -> list[str]:
    """The tests that run one of a mutant's lines, or any of its file while that is imported."""
    times, lines = known["times"], known["lines"].get(mutant.file, {})
    rows = range(mutant.line, mutant.last + 1)
    found = {test for row in rows for test in lines.get(str(row), ())} & times.keys()
    if not found and any(str(row) in lines for row in rows):  # what runs when it is imported
        found = {test for tests in lines.values() for test in tests} & times.keys()
        return sorted(found, key=lambda test: (times[test], test))[:AT_IMPORT]
    chosen, total = [], 0.0
    variants: Counter[str] = Counter()  # of one test with other parameters
    order = []
    for test in sorted(found, key=lambda test: (times[test], test)):
        name = test.partition("[")[0]
        variants[name] += times[test] > QUICK_S
        order.append((variants[name], times[test], test))
    for _, took, test in sorted(order):
        total += took
        if total > seconds:
            break
        chosen.append(test)
    return chosen


class _Trials:
    """A plugin of pytest that, in the place of a run, tries mutants with the collected tests."""

    def __init__(self, known: Any, result: str, seconds: float, files: tuple[str, ...]) -> None:
        self.known = known
        self.seconds = seconds
        self.result = Path(result)
        self.files = files
        done = json.loads(self.result.read_text()) if self.result.exists() else []
        self.done = {(one["file"], one["start"], one["end"], one["after"]): one for one in done}

    def pytest_runtestloop(self, session: Any) -> bool:
        """Try the mutants; the result is written after each."""
        collected = {item.nodeid for item in session.items}
        times = {test: took for test, took in self.known["times"].items() if test in collected}
        self.known["times"] = times
        unchanged = Mutant(self.files[0], 1, 1, "", "", 0, 0)
        order = sorted(times, key=times.__getitem__)
        if try_out(unchanged, [*order[:AT_IMPORT], order[-1]], session) != "survived":
            raise SystemExit(
                "without a change a test fails or hangs in a forked process: does a file of tests"
                " run TensorFlow's ops when it is imported, or name its tests anew each time?"
            )
        for file in self.files:
            for mutant in mutants(file):
                place = (mutant.file, mutant.start, mutant.end, mutant.after)
                before = self.done.get(place, {"outcome": "survived", "tests": -1})
                tests = tests_of(mutant, self.known, self.seconds)
                if before["outcome"] in KILLED or before["tests"] >= len(tests):
                    continue
                outcome = {"outcome": try_out(mutant, tests, session), "tests": len(tests)}
                self.done[place] = asdict(mutant) | outcome
                self.result.write_text(json.dumps(list(self.done.values()), indent=1))
        return True

    def listing(self) -> Iterator[str]:
        """A line for each file and each mutant that was not killed."""
        for file in self.files:
            of_file = [one for one in self.done.values() if one["file"] == file]
            left = [one for one in of_file if one["outcome"] not in KILLED]
            yield f"{file}: {len(of_file)} mutants, {len(of_file) - len(left)} killed"
            for one in left:
                place = f"  {one['outcome']}, line {one['line']}:"
                yield f"{place} {one['before']!r} -> {one['after']!r}"


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
    """Whether a test fails once everything has been imported anew: the change is in no function."""
    import pytest

    here = os.getcwd() + os.sep
    for name, module in list(sys.modules.items()):
        if (getattr(module, "__file__", None) or "").startswith(here) and name != "__main__":
            del sys.modules[name]
    loader = importlib.machinery.SourceFileLoader
    get_code = loader.get_code

    def mutated(self: Any, name: str) -> Any:
        return compile(text, path, "exec") if self.path == path else get_code(self, name)

    loader.get_code = mutated
    return pytest.main(["-x", "-q", "-p", "no:cacheprovider", *tests]) != 0


def run(reached: str, result: str, seconds: str, *files: str) -> int:
    """Try all mutants of the files."""
    import pytest

    known = json.loads(Path(reached).read_text())
    trials = _Trials(known, result, float(seconds), files)
    collected = sorted({test.partition("::")[0] for test in known["times"]})
    code = pytest.main(["-q", "-p", "no:cacheprovider", *collected], plugins=[trials])
    print("\n".join(trials.listing()))
    return int(code)


if __name__ == "__main__":
    sys.exit({"reach": reach, "run": run}[sys.argv[1]](*sys.argv[2:]))
