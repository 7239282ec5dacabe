"""Lists a traced graph: the quantization ops and the ops of the network itself."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass

import tensorflow as tf

from qbench.config.experiment import Experiment
from qbench.data import source_of
from qbench.data.preprocessing import input_shape, side_of
from qbench.models import build_model
from qbench.quantize.analysis import analyse
from qbench.quantize.insertion_plan import (
    Gated,
    Insertion,
    InsertionPlan,
    QuantizedKernel,
    QuantizedSlopes,
)
from qbench.quantize.interface import KernelQuantizing, TensorQuantizing
from qbench.quantize.kept_float import KeptFloat, kept_float, slopes_on_grids
from qbench.quantize.ranges import RangeAverages
from qbench.quantize.rewrite import view_of
from qbench.quantize.scheme import QuantizationScheme
from qbench.quantize.traits import is_add
from qbench.training.scheme_state import SchemeState


@dataclass(frozen=True)
class Found:
    """A fake-quantization op in a graph, and the insertion that it comes from.

    Attributes:
        insertion: the insertion in the plan.
        op: TensorFlow's op type; or the name of the op, if it consists of several TensorFlow ops.
        bits: number of bits of its codes.
    """

    insertion: Insertion
    op: str
    bits: int


@dataclass(frozen=True)
class Listing:
    """The contents of a graph.

    Attributes:
        quantizers: the quantization ops in the order of the graph.
        hosts: counts of the network's own ops.
        floats: the variables that no configuration quantizes, except slopes that this one does.
    """

    quantizers: tuple[Found, ...]
    hosts: dict[str, int]
    floats: tuple[KeptFloat, ...]


def list_graph(experiment: Experiment) -> Listing:
    """Trace the network of an experiment in evaluation, and read its graph.

    The ops are read from the graph itself. The insertion plan only says to which tensor and
    placement an op belongs. A fake-quantization op that consists of several TensorFlow ops is
    listed from the insertion plan.
    """
    source = source_of(experiment.data)
    shape = input_shape(source.shape, side_of(experiment.data))
    chosen = experiment.model
    task = source.make_task()
    model = build_model(chosen.name, chosen.arguments, shape, task, **chosen.settings)
    quantization = experiment.quantization
    plan = analyse(model, quantization)
    averages = RangeAverages(plan.tensors, experiment.quant.ema_decay)
    states = SchemeState(experiment.scheme, model, experiment.train).states
    view = view_of(model, plan, averages, states)
    graph = (
        tf.function(lambda x: view.model(x, training=False)[0], autograph=False)
        .get_concrete_function(tf.TensorSpec((None, *shape), tf.float32))
        .graph
    )
    types = _graph_ops(quantization, plan)
    found = _typed(graph, plan, types) if types else _planned(plan)
    adds = {layer.name for layer in model.operations if is_add(layer)}
    on_grids = slopes_on_grids(plan)
    floats = tuple(kept for kept in kept_float(model) if kept.layer not in on_grids)
    return Listing(found, _hosts(graph, adds), floats)


def _graph_ops(quantization: QuantizationScheme | None, plan: InsertionPlan) -> Collection[str]:
    """TensorFlow's op types of all quantizers; empty if a quantizer has none."""
    every = [one.graph_ops for one in quantization.quantizers] if quantization else []
    every += [one.quantizer.graph_ops for one in plan.quantized_tensors]
    every += [one.gate.graph_ops for one in _gates(plan)]
    made = [call.stand_in for call in plan.calls]
    every += [one.quantizer.graph_ops for one in made if isinstance(one, QuantizedSlopes)]
    return {name for names in every for name in names} if all(every) else ()


def _typed(graph: tf.Graph, plan: InsertionPlan, types: Collection[str]) -> tuple[Found, ...]:
    """The ops of these types in a graph."""
    by_layer = {insertion.layer: insertion for insertion in plan.insertions}
    return tuple(
        Found(by_layer[_layer(op.name)], op.type, int(op.get_attr("num_bits")))
        for op in graph.get_operations()
        if op.type in types
    )


def _planned(plan: InsertionPlan) -> tuple[Found, ...]:
    """The insertions of a plan, each with the name of its op."""
    quantizers: dict[str, TensorQuantizing | KernelQuantizing] = {
        one.layer: one.quantizer for one in plan.quantized_tensors
    }
    for call in plan.calls:
        if isinstance(call.stand_in, QuantizedKernel | QuantizedSlopes):
            quantizers[call.stand_in.layer] = call.stand_in.quantizer
    quantizers |= {one.layer: one.gate for one in _gates(plan)}
    every = [(one, quantizers[one.layer]) for one in plan.insertions]
    return tuple(Found(one, quantizer.op, quantizer.bits) for one, quantizer in every)


def _gates(plan: InsertionPlan) -> list[Gated]:
    """The calls of SiLU with a logistic function on a grid."""
    return [call.stand_in for call in plan.calls if isinstance(call.stand_in, Gated)]


def _layer(name: str) -> str:
    """The inserted layer of an op: the last part of its name, without TensorFlow's number."""
    return re.sub(r"_\d+$", "", name.rpartition("/")[2])


def _is_of(scopes: list[str], adds: set[str]) -> bool:
    """Whether an op belongs to one of these additions.

    The ops of a layer are in the scope of the layer. The op of a Keras operation has no scope of
    its own; it is directly in the scope of the model.

    Args:
        scopes: the name of the op, split at `/`.
        adds: the names of the additions.
    """
    *outer, last = scopes
    if len(outer) == 1 and _layer(last).lower() in adds:
        return True
    return bool(outer) and _layer(outer[-1]) in adds


def _hosts(graph: tf.Graph, adds: set[str]) -> dict[str, int]:
    """Counts of Conv2D, Relu, MatMul and residual additions."""
    counts = Counter(op.type for op in graph.get_operations())
    residual = sum(
        op.type in ("AddV2", "AddN") and _is_of(op.name.split("/"), adds)
        for op in graph.get_operations()
    )
    return {
        "Conv2D": counts["Conv2D"],
        "DepthwiseConv2d": counts["DepthwiseConv2dNative"],
        "MatMul": counts["MatMul"],
        "Relu": counts["Relu"] + counts["Relu6"],
        "residual Add": residual,
    }


def describe(listing: Listing) -> str:
    """The listing as text."""
    lines = []
    rows = [
        (f.insertion.placement, f.insertion.tensor, f.op, str(f.bits), f.insertion.source)
        for f in listing.quantizers
    ]
    if rows:
        rows.insert(0, ("placement", "tensor", "op", "bits", "range"))
        widths = [max(len(row[k]) for row in rows) for k in range(5)]
        lines += [
            "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip()
            for row in rows
        ]
        lines.append("")
    kinds = Counter(
        f"{f.insertion.placement} {'kernel' if f.insertion.is_kernel else 'tensor'}"
        for f in listing.quantizers
    )
    counted = ", ".join(f"{count} {kind}" for kind, count in kinds.items())
    lines.append(
        f"quantization ops: {len(listing.quantizers)}" + (f" ({counted})" if counted else "")
    )
    lines.append(
        "network ops: " + ", ".join(f"{n} {name}" for name, n in listing.hosts.items() if n)
    )
    lines += [f"stays float: {kept}, {kept.values:,} values" for kept in listing.floats]
    return "\n".join(lines)
