"""What XNNPACK refuses in integer files; its own message says only the number of an operator."""

from __future__ import annotations

from collections.abc import Iterator

from qbench.base.names import first_names
from qbench.deploy.file_graph import FileGraph, Operator

FINEST = 256.0
"""XNNPACK takes convolutions and dense layers whose products have a scale below so many times that
of their output."""

_OPERATORS = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "TRANSPOSE_CONV")
_MARKS = (".baked", ".grid")


def refused(graph: FileGraph) -> str | None:
    """Why XNNPACK refuses a file, in a sentence with the layers; None if nothing known is there."""
    names = list(dict.fromkeys(_too_fine(graph)))
    if not names:
        return None
    return (
        f"XNNPACK needs an output grid at most {FINEST:g} times finer than that of the products;"
        f" the output of {first_names(names)} hardly changes"
    )


def _too_fine(graph: FileGraph) -> Iterator[str]:
    for op in graph.operators:
        if op.name in _OPERATORS and _ratio(op) >= FINEST:
            yield _layer(op)


def _ratio(op: Operator) -> float:
    """The largest scale of the products over the scale of the output; 0 if one has no grid."""
    grids = [tensor for tensor in op.reads if tensor.has_grid][:2]
    if len(grids) < 2 or not op.makes[0].has_grid:
        return 0.0
    (one, other), made = grids, op.makes[0]
    return float(one.scales.max() * other.scales.max() / made.scales[0])


def _layer(op: Operator) -> str:
    """The layer of an operator; its tensors have scopes such as `functional/conv.baked_1/Relu`."""
    for scope in op.makes[0].scopes:
        for mark in _MARKS:
            name, found, _ = scope.rpartition(mark)
            if found:
                return name
    return op.makes[0].scopes[-1]
