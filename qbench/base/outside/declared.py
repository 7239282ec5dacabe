"""The signature of a function from outside, as its file declares it; nothing is imported."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from inspect import Parameter
from typing import Any

from qbench.base.outside.session import Code


def declared(code: Code) -> inspect.Signature | None:
    """The signature of the function that a reference names.

    None if only an import can tell: it is decorated, or it is not a `def` of the file itself, or
    something else in the file has this name too.
    """
    tree = ast.parse(code.sources.content[code.sources.main])
    found = [node for node in tree.body if getattr(node, "name", None) == code.name]
    if list(_bound(tree)).count(code.name) != 1 or "*" in _bound(tree):
        return None
    if len(found) != 1 or not isinstance(found[0], ast.FunctionDef) or found[0].decorator_list:
        return None
    return inspect.Signature(list(_parameters(found[0].args)))


def _bound(tree: ast.Module) -> Iterator[str]:
    """Every name that something in a module binds, also inside functions; `*` for all names."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            yield node.id
        elif isinstance(node, ast.alias):
            yield node.asname or node.name.partition(".")[0]
        elif isinstance(node, ast.Global):
            yield from node.names


class _Source:
    """A default value, shown as the file has it."""

    def __init__(self, node: ast.expr) -> None:
        """`node` is the expression."""
        self._node = node

    def __repr__(self) -> str:
        return ast.unparse(self._node)


def _parameters(given: ast.arguments) -> Iterator[Parameter]:
    """The parameters of a function, in order."""
    plain: list[tuple[str, Any]] = [
        *((one.arg, Parameter.POSITIONAL_ONLY) for one in given.posonlyargs),
        *((one.arg, Parameter.POSITIONAL_OR_KEYWORD) for one in given.args),
    ]
    required = len(plain) - len(given.defaults)
    for number, (name, kind) in enumerate(plain):
        yield _parameter(
            name, kind, given.defaults[number - required] if number >= required else None
        )
    if given.vararg:
        yield Parameter(given.vararg.arg, Parameter.VAR_POSITIONAL)
    for one, default in zip(given.kwonlyargs, given.kw_defaults, strict=True):
        yield _parameter(one.arg, Parameter.KEYWORD_ONLY, default)
    if given.kwarg:
        yield Parameter(given.kwarg.arg, Parameter.VAR_KEYWORD)


def _parameter(name: str, kind: Any, default: ast.expr | None) -> Parameter:
    return Parameter(name, kind, default=Parameter.empty if default is None else _Source(default))
