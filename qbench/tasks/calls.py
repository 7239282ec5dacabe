"""A call in a network's graph, for the checks of the network's output."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Call:
    """A call of an operation in a graph.

    Attributes:
        op: the layer or operation.
        args, kwargs: the arguments of the call; see `qbench.quantize.walk`.
        output: the tensor that it returns.
    """

    op: Any
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    output: Any
