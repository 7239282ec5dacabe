"""Private interfaces of Keras, TensorFlow, LiteRT and Hydra: in the module that may use them."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import qbench

ROOT = Path(qbench.__file__).parent
PLUGINS = ROOT.parent / "hydra_plugins"
KERAS = "base/keras_private.py"
# tf.lite will leave TensorFlow; its converter is nowhere else yet.
CONVERTER = "deploy/lite.py"
LIBRARIES = ("keras", "tensorflow", "ai_edge_litert", "tf_keras", "hydra", "omegaconf")
# Public in spite of its name.
PUBLIC = ("os._exit",)
BY_NAME = ("getattr", "hasattr", "setattr", "delattr", "attrgetter", "methodcaller")


def _is_private(name: str) -> bool:
    dunder = name.startswith("__") and name.endswith("__") and name != "__internal__"
    return name.startswith("_") and not dunder


def _own(tree: ast.AST) -> set[str]:
    """The private names that a module gives to its own classes and objects."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.Attribute | ast.Name) and isinstance(node.ctx, ast.Store):
            found.add(node.attr if isinstance(node, ast.Attribute) else node.id)
    return found


def _attributes(tree: ast.AST) -> Iterator[str]:
    """Private attributes of anything but the object itself, and those that it inherits."""
    own = _own(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and _is_private(node.attr):
            mine = isinstance(node.value, ast.Name) and node.value.id in ("self", "cls")
            if not (mine and node.attr in own) and ast.unparse(node) not in PUBLIC:
                yield ast.unparse(node)
        elif isinstance(node, ast.Call):
            called = ast.unparse(node.func).rpartition(".")[2]
            for given in node.args if called in BY_NAME else ():
                if isinstance(given, ast.Constant) and _is_private(str(given.value)):
                    yield ast.unparse(node)


def _is_hidden(name: str) -> bool:
    """Whether a dotted name is that of a private module of one of the libraries."""
    library, *parts = name.split(".")
    hidden = any(part == "src" or _is_private(part) for part in parts)
    inner = library in ("tensorflow", "tf") and parts[:1] == ["python"]
    return (library in (*LIBRARIES, "tf") and hidden) or inner


def _imports(tree: ast.AST) -> Iterator[str]:
    """Private modules of the libraries, however they are reached."""
    for name in _named(tree):
        if _is_hidden(name):
            yield name


def _named(tree: ast.AST) -> Iterator[str]:
    """The dotted names that are imported, looked up or written as text."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.Attribute):
            yield ast.unparse(node)
        elif isinstance(node, ast.Constant) and re.fullmatch(r"[A-Za-z_][\w.]*", str(node.value)):
            yield str(node.value)


def _lite(tree: ast.AST) -> Iterator[str]:
    """`tf.lite`, however it is reached."""
    for name in _named(tree):
        library, *parts = name.split(".")
        if library in ("tf", "tensorflow") and "lite" in parts:
            yield "tf.lite"
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr == "lite":
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
        path.relative_to(ROOT.parent).as_posix(): sorted(set(find(ast.parse(path.read_text()))))
        for folder in (ROOT, PLUGINS)
        for path in sorted(folder.rglob("*.py"))
    }
    assert found.pop(f"{ROOT.name}/{allowed}")
    assert {path: names for path, names in found.items() if names} == {}


HIDDEN = [
    (_attributes, "layer._flatten_layers()"),
    (_attributes, "tf.__internal__.decorator"),
    (_attributes, "getattr(tensor, '_keras_history')"),
    (_attributes, "operator.attrgetter('_uid')"),
    (_attributes, "class A(Layer):\n  def call(self):\n    return self._flatten_layers()"),
    (_attributes, "class A(Layer):\n  def call(self):\n    return super()._lock()"),
    (_imports, "from keras.src.utils import naming"),
    (_imports, "from keras import src"),
    (_imports, "import keras.src as inner"),
    (_imports, "keras.src.utils.naming.reset_uids()"),
    (_imports, "importlib.import_module('keras.src.utils')"),
    (_imports, "from tensorflow.python.framework import ops"),
    (_imports, "from tensorflow import python"),
    (_imports, "from hydra._internal.config_loader_impl import ConfigLoaderImpl"),
    (_imports, "from omegaconf._utils import split_key"),
    (_imports, "from ai_edge_litert._interpreter import x"),
    (_lite, "tf.lite.TFLiteConverter"),
    (_lite, "tf.compat.v1.lite"),
    (_lite, "import tensorflow.lite"),
    (_lite, "import tensorflow as flow\nflow.lite.OpsSet"),
    (_lite, "from tensorflow import lite"),
    (_lite, "importlib.import_module('tensorflow.lite.python')"),
]


@pytest.mark.parametrize(("find", "code"), HIDDEN, ids=[code for _, code in HIDDEN])
def test_ways_round_are_found(find: Callable[[ast.AST], Iterator[str]], code: str) -> None:
    assert list(find(ast.parse(code)))


SEEN = (
    "class A:\n  def __init__(self):\n    self._x = 1\n  def f(self):\n    return self._x",
    "import hydra\nfrom hydra.core.plugins import Plugins\nx.__dict__\nimport keras",
    "from qbench.deploy.lite import convert\ngetattr(layer, 'bias', None)",
)


@pytest.mark.parametrize("code", SEEN, ids=["own", "public", "names"])
def test_what_is_public_is_not(code: str) -> None:
    tree = ast.parse(code)
    assert [*_attributes(tree), *_imports(tree), *_lite(tree)] == []
