"""Reads traced graphs: kinds of ops, constants, and the variables that a graph uses."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

# Ops that draw random numbers from a state of the process or of a tf.random.Generator. All other
# random ops of TensorFlow are stateless: their seed is an input.
RANDOM = frozenset(
    {
        "AllCandidateSampler",
        "FixedUnigramCandidateSampler",
        "FractionalAvgPool",
        "FractionalMaxPool",
        "LearnedUnigramCandidateSampler",
        "LogUniformCandidateSampler",
        "Multinomial",
        "NonDeterministicInts",
        "ParameterizedTruncatedNormal",
        "RandomCrop",
        "RandomGamma",
        "RandomPoisson",
        "RandomPoissonV2",
        "RandomShuffle",
        "RandomStandardNormal",
        "RandomUniform",
        "RandomUniformInt",
        "RngReadAndSkip",
        "RngSkip",
        "SampleDistortedBoundingBox",
        "SampleDistortedBoundingBoxV2",
        "StatefulRandomBinomial",
        "StatefulStandardNormal",
        "StatefulStandardNormalV2",
        "StatefulTruncatedNormal",
        "StatefulUniform",
        "StatefulUniformFullInt",
        "StatefulUniformInt",
        "ThreadUnsafeUnigramCandidateSampler",
        "TruncatedNormal",
        "UniformCandidateSampler",
    }
)

# Ops that run Python while the graph runs.
PYTHON = frozenset({"EagerPyFunc", "PyFunc", "PyFuncStateless"})

_ASSIGNS = re.compile(
    r"Assign.*Variable|Resource(Sparse)?Apply|Resource(Scatter|StridedSliceAssign)"
)

_CALLS = frozenset({"Case", "If", "PartitionedCall", "StatefulPartitionedCall", "While"})


@dataclass(frozen=True)
class Resource:
    """A variable or a table that a graph uses.

    Attributes:
        handle: the object by which TensorFlow identifies it.
        name: the name of the variable; may be empty.
        counts: whether an output of the graph is computed from it.
        assigned: whether the graph assigns it.
    """

    handle: Any
    name: str
    counts: bool
    assigned: bool


def _nodes(graph: Any) -> Iterator[Any]:
    """The nodes of a graph and of all functions that it calls, such as bodies of loops."""
    definition = graph.as_graph_def()
    yield from definition.node
    for function in definition.library.function:
        yield from function.node_def


def op_types(graph: Any) -> set[str]:
    """The types of the ops in a graph and in the functions that it calls."""
    return {node.op for node in _nodes(graph)}


def content(graph: Any) -> Counter[bytes]:
    """The contents of a graph, without the names of its ops and functions.

    The contents are every op with its type and attributes (including the values of constants), and
    every tensor from outside that is not a variable. If code computes the same in two traces, the
    contents of both graphs are equal.
    """
    found: Counter[bytes] = Counter()
    for node in _nodes(graph):
        found[_without_names(node)] += 1
    for outside, _ in graph.captures:
        if not _is_resource(outside):
            found[outside.numpy().tobytes()] += 1
    return found


def _without_names(node: Any) -> bytes:
    """A node's type and its attributes, except names and attributes made for this graph only."""
    parts = [node.op]
    for key in sorted(node.attr):
        value = node.attr[key]
        is_name = key.startswith("_") or key.endswith("name") or value.HasField("func")
        if not is_name and not value.list.func:
            parts.append(f"{key}={value.SerializeToString(deterministic=True)!r}")
    return "\n".join(parts).encode()


def resources(graph: Any) -> list[Resource]:
    """The variables (and tables) that a graph uses."""
    captured = [(outside, inside) for outside, inside in graph.captures if _is_resource(outside)]
    if not captured:
        return []
    leading, assigned = _leading_to_outputs(graph), _assigned(graph)
    found = []
    for outside, inside in captured:
        # A variable that was made during tracing may not exist any more.
        name = re.search(r'name="([^"]*?)(/\d+)?"', str(outside))
        found.append(
            Resource(
                outside,
                name.group(1) if name else "",
                inside.op.name in leading,
                any(inside is one for one in assigned),
            )
        )
    return found


def _is_resource(tensor: Any) -> bool:
    return bool(tensor.dtype.name == "resource")


def _leading_to_outputs(graph: Any) -> set[str]:
    """Names of the ops that the outputs of a graph are computed from."""
    found: set[str] = set()
    ops = [tensor.op for tensor in graph.outputs]
    while ops:
        op = ops.pop()
        if op.name not in found:
            found.add(op.name)
            ops += [tensor.op for tensor in op.inputs]
    return found


def _assigned(graph: Any) -> list[Any]:
    """The resources that a graph assigns.

    If a function assigns, all resources count that are inputs of an op that calls functions.
    """
    found = []
    functions = graph.as_graph_def().library.function
    inner = any(_ASSIGNS.match(node.op) for function in functions for node in function.node_def)
    for op in graph.get_operations():
        given = [tensor for tensor in op.inputs if _is_resource(tensor)]
        if _ASSIGNS.match(op.type):
            found += given[:1]
        elif inner and op.type in _CALLS:
            found += given
    return found
