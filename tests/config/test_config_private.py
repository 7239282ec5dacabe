"""Private interfaces of Keras, TensorFlow and LiteRT: each in the one module that may use it."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import qbench

ROOT = Path(qbench.__file__).parent
KERAS = "base/keras_private.py"
# tf.lite will leave TensorFlow; its converter is nowhere else yet.
CONVERTER = "deploy/lite.py"
LIBRARIES = ("keras", "tensorflow", "ai_edge_litert", "tf_keras")
# Public in spite of its name.
PUBLIC = ("os._exit",)


def _attributes(tree: ast.AST) -> Iterator[str]:
    """Private attributes of anything but the object itself."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr.startswith("_"):
            dunder = node.attr.endswith("__") and node.attr != "__internal__"
            own = isinstance(node.value, ast.Name) and node.value.id in ("self", "cls")
            if not dunder and not own and ast.unparse(node) not in PUBLIC:
                yield ast.unparse(node)


def _imports(tree: ast.AST) -> Iterator[str]:
    """Private modules of the libraries."""
    for node in ast.walk(tree):
        names = []
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        for name in names:
            library, *parts = name.split(".")
            hidden = any(part == "src" or part.startswith("_") for part in parts)
            if library in LIBRARIES and (hidden or name.startswith("tensorflow.python")):
                yield name


def _lite(tree: ast.AST) -> Iterator[str]:
    """`tf.lite`, however it is reached."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and ast.unparse(node) in ("tf.lite", "tensorflow.lite"):
            yield "tf.lite"
        if isinstance(node, ast.ImportFrom):
            module = node.module or ""
            if module.startswith("tensorflow.lite") or (
                module == "tensorflow" and any(alias.name == "lite" for alias in node.names)
            ):
                yield "tf.lite"


@pytest.mark.parametrize(
    ("find", "allowed"),
    [(_attributes, KERAS), (_imports, KERAS), (_lite, CONVERTER)],
    ids=["attributes", "modules", "tf.lite"],
)
def test_they_are_used_in_one_module_alone(
    find: Callable[[ast.AST], Iterator[str]], allowed: str
) -> None:
    found = {
        path.relative_to(ROOT).as_posix(): sorted(set(find(ast.parse(path.read_text()))))
        for path in sorted(ROOT.rglob("*.py"))
    }
    assert found.pop(allowed)
    assert {path: names for path, names in found.items() if names} == {}
