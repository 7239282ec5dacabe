"""A call in a network's graph, as checks of its output see it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Call:
    """A call of an operation in a graph.

    Attributes:
        op: the layer or operation.
        args, kwargs: what it is called with; see `qbench.quantize.walk`.
        output: what comes out.
    """

    op: Any
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    output: Any
