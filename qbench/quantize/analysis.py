"""Decides from a network and a scheme what is inserted where, before anything is built."""

from __future__ import annotations

from typing import Any

import keras

from qbench.base.errors import QbenchError
from qbench.quantize.fixed_grid import LOGISTIC
from qbench.quantize.folding import is_fusable
from qbench.quantize.insertion_plan import (
    FoldedAway,
    Fused,
    Gated,
    HeldInInference,
    Insertion,
    InsertionPlan,
    PlannedCall,
    QuantizedKernel,
    QuantizedSlopes,
    QuantizedTensor,
    Range,
    Read,
    Row,
    StandIn,
)
from qbench.quantize.interface import TensorQuantizing
from qbench.quantize.kernels import SLOPES
from qbench.quantize.rules import Rules
from qbench.quantize.scheme import QuantizationScheme
from qbench.quantize.tensors import Call, Graph, Tensor, graph_of, unique
from qbench.quantize.traits import has_slopes, is_convolution, is_silu, kernels, smallest_output
from qbench.quantize.walk import functional


def analyse(model: Any, scheme: QuantizationScheme | None) -> InsertionPlan:
    """Decide what a scheme inserts into a network, and where.

    Args:
        model: functional or sequential Keras model with one input and one output and without
            models inside; nothing is added to it.
        scheme: what to quantize and how; None leaves every tensor float.

    Every plan gathers the ranges of the image, of the output, and of every tensor that some
    placement could quantize; the scheme does not matter. Batch normalization is fused, or folded
    into quantized kernels if the scheme says so. A tensor is quantized at most once. Behind an op
    that passes its values through, it is not quantized again; nor, if the scheme simulates files,
    behind one that files leave out.

    Raises:
        QbenchError: the model has another form, or a placement quantizes a tensor whose range is
            not gathered.
    """
    model = functional(model)
    for inner in model.operations if hasattr(model, "operations") else [model]:
        if isinstance(inner, keras.Model):
            raise QbenchError(
                f"the model {model.name} is or holds {inner.name}, a model of its own; qbench"
                " rewrites one flat functional graph."
            )
    graph = graph_of(model)
    return _Analysis(graph, Rules(graph, scheme)).plan()


class _Analysis:
    """One pass over the calls of a graph. It names the inserted layers in this order."""

    def __init__(self, graph: Graph, rules: Rules) -> None:
        self._graph = graph
        self._rules = rules
        self._names = {op.name for op in graph.operations}
        self._rows = {name: row for row, name in enumerate(graph.gathered)}
        self._ranges: dict[str, Range] = {}
        self._quantized: dict[str, QuantizedTensor] = {}
        self._on_grid: set[str] = set()  # tensors that passing ops made from quantized tensors
        self._insertions: list[Insertion] = []

    def plan(self) -> InsertionPlan:
        """Analyse the whole graph."""
        graph, rules = self._graph, self._rules
        calls = tuple(self._call(call) for call in graph.calls)
        self._gather(graph.output)
        last = self._read(graph.output, rules.wanted_end())
        return InsertionPlan(
            calls=calls,
            last=last,
            output=graph.output.root,
            ranges=tuple(self._ranges[name] for name in graph.gathered),
            collector=unique("ranges", self._names),
            insertions=tuple(self._insertions),
            kernels=rules.kernels,
            folds=rules.folds,
            shared_ranges=rules.shared_ranges,
            entry=graph.entry,
            lead=tuple(op.name for op in graph.lead),
        )

    def _call(self, call: Call) -> PlannedCall:
        reads = []
        for tensor in call.reads:
            if self._graph.is_gathered(call, tensor):
                self._gather(tensor)
            reads.append(self._read(tensor, self._rules.wanted(call, tensor)))
        passes = call.passes or (self._rules.simulates_files and call.is_left_out)
        if passes and (reads[0].quantized or reads[0].tensor in self._on_grid):
            self._on_grid |= {tensor.name for tensor in call.makes}
        makes = tuple(tensor.name for tensor in call.makes)
        return PlannedCall(call.op, tuple(reads), makes, self._stand_in(call))

    def _gather(self, tensor: Tensor) -> None:
        """Measure the range of a tensor's root in every step."""
        root = self._graph.root(tensor)
        if root.name not in self._ranges:
            layer = unique(f"{root.name}.range", self._names)
            self._ranges[root.name] = Range(root.name, layer, smallest_output(root.producer))

    def _read(self, tensor: Tensor, wanted: tuple[str, TensorQuantizing] | None) -> Read:
        if wanted is None or tensor.name in self._on_grid:
            return Read(tensor.name, tensor.root)
        if tensor.name not in self._quantized:
            self._quantized[tensor.name] = self._quantize(tensor, *wanted)
        return Read(tensor.name, tensor.root, self._quantized[tensor.name])

    def _quantize(
        self, tensor: Tensor, placement: str, quantizer: TensorQuantizing
    ) -> QuantizedTensor:
        name, root, rows = tensor.name, self._rules.grid_root(tensor).name, self._rows
        if root not in rows:
            raise QbenchError(
                f"quant.placement={placement} wants {name} quantized, whose range is not gathered;"
                " see Graph.is_gathered in qbench.quantize.tensors."
            )
        layer = unique(f"{name}.quantized", self._names)
        source = quantizer.source
        self._insertions.append(Insertion(layer, placement, name, False, source, root))
        sharing = self._rules.shared_ranges.get(root, ())
        tied = tuple(rows[other] for other in sharing if other != root)
        return QuantizedTensor(name, layer, root, quantizer, Row(rows[root], name == root, tied))

    def _stand_in(self, call: Call) -> StandIn | None:
        op, scheme = call.op, self._rules.scheme
        if id(op) in self._rules.folded:
            return FoldedAway(self._rules.folded[id(op)])
        if is_convolution(op):
            return self._with_kernel(op) if op.name in self._rules.kernels else None
        if self._rules.inside is not None and is_silu(op):
            return self._gated(call, self._rules.inside, LOGISTIC)
        if self._rules.inside is not None and has_slopes(op):
            return self._with_slopes(op, self._rules.inside)
        if not isinstance(op, keras.Layer):
            return None
        is_norm = isinstance(op, keras.layers.BatchNormalization)
        held = call.is_in_inference or (is_norm and scheme is not None and scheme.freeze)
        if is_norm and not call.is_masked and is_fusable(op, call.args[0]):
            return Fused(unique(f"{op.name}.fused", self._names), held)
        return HeldInInference(unique(f"{op.name}.frozen", self._names)) if held else None

    def _gated(self, call: Call, placement: str, gate: TensorQuantizing) -> Gated:
        """SiLU with its logistic function on a grid."""
        layer, (made,) = unique(f"{call.op.name}.gated", self._names), call.makes
        one = Insertion(layer, placement, f"{made.name} gate", False, gate.source, made.name)
        self._insertions.append(one)
        return Gated(layer, gate)

    def _with_slopes(self, op: Any, placement: str) -> QuantizedSlopes:
        layer = unique(f"{op.name}.slopes.quantized", self._names)
        self._insertions.append(
            Insertion(layer, placement, f"{op.name} slopes", False, SLOPES.source)
        )
        return QuantizedSlopes(layer, SLOPES)

    def _with_kernel(self, op: Any) -> QuantizedKernel:
        placement, quantizer = self._rules.kernels[op.name]
        layer = unique(f"{op.name}.kernel.quantized", self._names)
        one = Insertion(layer, placement, f"{op.name} kernel", True, quantizer.source)
        self._insertions += [one] * len(kernels(op))
        norm = self._rules.folds.get(op.name)
        if norm is None:
            return QuantizedKernel(layer, quantizer)
        constant = self._rules.scheme is not None and self._rules.scheme.constant_statistics
        return QuantizedKernel(layer, quantizer, norm, self._freezes(norm), constant)

    def _freezes(self, norm: Any) -> bool:
        """Whether a normalization works by its moving statistics in training too."""
        scheme = self._rules.scheme
        return id(norm) in self._rules.held or (scheme is not None and scheme.freeze)
