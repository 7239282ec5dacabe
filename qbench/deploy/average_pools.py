"""Finds the tensors that an average pool shares with others, whose grid an export says again."""

from __future__ import annotations

from collections import Counter

from qbench.quantize.insertion_plan import InsertionPlan
from qbench.quantize.tensors import Graph, Tensor
from qbench.quantize.traits import keeps_grid


def passed_to_average_pools(graph: Graph, plan: InsertionPlan) -> dict[str, str]:
    """The tensors that have the grid of another one, and its name, if an average pool shares them.

    The converter leaves the other readers of such a tensor float, unless its grid is said again.
    Who reads what a left-out call makes reads in the file what that call reads.
    """
    quantized = {one.tensor for one in plan.quantized_tensors}
    stays: dict[str, Tensor] = {}  # what is in the file in place of a tensor
    pooled: set[Tensor] = set()
    count: Counter[Tensor] = Counter()
    for call in graph.calls:
        reads = [stays.get(tensor.name, tensor) for tensor in call.reads]
        if call.is_left_out and call.makes[0].name not in quantized:
            stays[call.makes[0].name] = reads[0]
            continue
        count.update(reads)
        if keeps_grid(call.op):
            pooled.update(reads)
    return {
        tensor.name: graph.root_in_file(tensor).name
        for tensor in pooled
        if count[tensor] > 1 and tensor.name not in quantized and tensor.root in plan.tensors
    }
