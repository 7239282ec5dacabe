"""Where modules lie: packages along the flow, and imports that only look downward."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import qbench

ROOT = Path(qbench.__file__).parent
# From contracts and the shell down to the disk, as docs/architecture.md lists them.
PACKAGES = (
    *("testing", "cli", "report", "engine", "planning", "deploy", "training", "config", "schemes"),
    *("models", "quantize", "optimizers", "data", "tasks", "storage", "statistics"),
    *("codes", "base"),
)


def _imports(path: Path) -> Iterator[str]:
    """What a module imports from qbench, wherever in it: modules, or names in modules."""
    for node in ast.walk(ast.parse(path.read_text())):
        names = []
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        yield from (name for name in names if name.startswith("qbench."))


def _modules() -> dict[str, Path]:
    """The files of qbench by the name of the module."""
    parts = {path: path.relative_to(ROOT.parent).with_suffix("").parts for path in _files()}
    return {".".join(one).removesuffix(".__init__"): path for path, one in parts.items()}


def _files() -> list[Path]:
    return sorted(ROOT.rglob("*.py"))


def test_nothing_lies_flat_but_the_package_itself() -> None:
    flat = {path.name for path in ROOT.iterdir() if path.suffix in (".py", ".typed")}
    assert flat <= {"__init__.py", "__main__.py", "py.typed"}
    assert {path.parent.name for path in ROOT.glob("*/__init__.py")} == set(PACKAGES)


def test_packages_only_look_downward() -> None:
    floor = {name: at for at, name in enumerate(PACKAGES)}
    upward = [
        f"{path.relative_to(ROOT)} imports {name}"
        for package in PACKAGES
        for path in (ROOT / package).rglob("*.py")
        for name in (one.split(".")[1] for one in _imports(path))
        if name in floor and floor[name] < floor[package]
    ]
    assert upward == []


def test_no_module_imports_itself_through_others() -> None:
    """Not even inside a function: what two modules both need is a module of its own."""
    modules = _modules()
    needs = {
        name: {one if one in modules else one.rpartition(".")[0] for one in _imports(path)}
        for name, path in modules.items()
    }
    try:
        order = tuple(TopologicalSorter(needs).static_order())
    except CycleError as error:
        pytest.fail(" imports ".join(reversed(error.args[1])))
    assert len(order) >= len(modules)


def test_the_documentation_lists_them_in_this_order() -> None:
    text = (ROOT.parent / "docs" / "architecture.md").read_text()
    places = [text.index(f"| `{name}/` |") for name in PACKAGES]
    assert places == sorted(places)
