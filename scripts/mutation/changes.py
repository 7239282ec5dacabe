"""The changes of a module: a node of its tree, and the text that stands there instead."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Any

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


def changes(tree: ast.AST) -> Iterator[Change]:
    """Every change of a tree but those of annotations, docstrings, messages and imports."""
    if isinstance(tree, ast.Raise | ast.Import | ast.ImportFrom | ast.Assert):
        return
    if isinstance(tree, ast.If) and "TYPE_CHECKING" in ast.unparse(tree.test):
        return
    yield from _changes_of(tree)
    for name, value in ast.iter_fields(tree):
        if name in ("annotation", "returns"):
            continue
        for child in value if isinstance(value, list) else [value]:
            is_text = isinstance(child, ast.Expr) and isinstance(child.value, ast.Constant)
            if isinstance(child, ast.AST) and not is_text:
                yield from changes(child)


def _changes_of(node: ast.AST) -> Iterator[Change]:
    for made in (_of_logic, _of_numbers, _of_statements, _of_calls):
        yield from made(node)


def _of_logic(node: ast.AST) -> Iterator[Change]:
    match node:
        case ast.Compare(left=left, ops=[op], comparators=[right]):
            yield node, f"({ast.unparse(left)} {COMPARISONS[type(op)]} {ast.unparse(right)})"
            if isinstance(right, ast.Tuple):
                yield from _one_less(right)
        case ast.BoolOp(values=values, op=op):
            word = " and " if isinstance(op, ast.And) else " or "
            for left_out in values:
                kept = [f"({ast.unparse(one)})" for one in values if one is not left_out]
                yield node, f"({word.join(kept)})"
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            yield node, f"({ast.unparse(operand)})"
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            yield node, ast.unparse(left)
            if not (isinstance(left, ast.BinOp) and isinstance(left.op, ast.BitOr)):
                yield node, ast.unparse(right)
        case ast.Set(elts=[_, _, *_]):
            yield from _one_less(node)


def _of_numbers(node: ast.AST) -> Iterator[Change]:
    match node:
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            yield node, f"({ast.unparse(operand)})"
        case ast.BinOp(left=left, op=op, right=right) if type(op) in ARITHMETIC:
            yield node, f"(({ast.unparse(left)}) {ARITHMETIC[type(op)]} ({ast.unparse(right)}))"
        case ast.Constant(value=bool() as value):
            yield node, str(not value)
        case ast.Constant(value=int() | float() as value):
            yield node, str(value + 1)


def _of_statements(node: ast.AST) -> Iterator[Change]:
    match node:
        case ast.IfExp(body=body, orelse=orelse):
            yield node, f"({ast.unparse(body)})"
            yield node, f"({ast.unparse(orelse)})"
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
                yield called, ast.unparse(called).removesuffix(name) + SWAPPED[name]
            if name == "stop_gradient":
                yield node, f"({ast.unparse(args[0])})"


def _one_less(node: Any) -> Iterator[Change]:
    """A tuple or set without one of its elements."""
    for left_out in node.elts:
        kept = [ast.unparse(one) for one in node.elts if one is not left_out]
        whole = ", ".join(kept) + ","
        yield node, f"({whole})" if isinstance(node, ast.Tuple) else f"{{{whole}}}"
