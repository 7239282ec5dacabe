"""The tensors that TensorFlow 1's contrib.quantize quantizes (`create_training_graph`, 1.13.1).

A layer is a convolution or dense layer, with the batch normalization that can be folded into it.
contrib.quantize quantizes the kernels of layers, and these tensors:

1. the output of ReLU or ReLU6, if it reads a layer's output or an addition of one (`act_quant`);
2. the output of every other layer: of those before an addition (`conv_quant`), and of those that no
   activation follows, such as the network's output (`act_quant`);
3. the result of an addition or multiplication of a quantized tensor, unless its only reader is ReLU
   or ReLU6 (`add_quant`).

The image, averages and concatenations stay float. Max pooling and reshaping pass quantized values
on. contrib.quantize misses a layer that has neither bias, normalization nor ReLU; here it is one.
"""

from __future__ import annotations

from typing import Any

import keras

from qbench.base.errors import QbenchError
from qbench.quantize.folding import foldable_in
from qbench.quantize.tensors import Call, Graph, Tensor
from qbench.quantize.traits import (
    is_activation,
    is_add,
    is_convolution,
    is_product,
    smallest_output,
)


def contrib_tensors(graph: Graph) -> frozenset[str]:
    """The names of the tensors of a graph that contrib.quantize quantizes.

    Raises:
        QbenchError: a layer has an activation of its own other than ReLU and ReLU6. TensorFlow 1
            quantizes the input of such an activation, which is a tensor inside the layer.
    """
    return frozenset(_Search(graph).found)


class _Search:
    """One pass over the calls of a graph, in order."""

    def __init__(self, graph: Graph) -> None:
        self._readers: dict[str, list[Any]] = {}
        for call in graph.calls:
            for tensor in call.reads:
                self._readers.setdefault(tensor.name, []).append(call.op)
        self._ends = {graph.output.name}
        self._folds = foldable_in(graph)
        self._layers: set[str] = set()  # outputs of layers without an activation
        self._sums: set[str] = set()  # additions of these
        self._on_grid: set[str] = set()  # quantized tensors, and those that only pass them on
        self.found: set[str] = set()
        for call in graph.calls:
            if not graph.leads(call):
                self._visit(call)

    def _visit(self, call: Call) -> None:
        reads = {tensor.name for tensor in call.reads}
        for made in call.makes:
            if self._is_quantized(call, reads, made):
                self.found.add(made.name)
                self._on_grid.add(made.name)
            elif call.passes and call.reads[0].name in self._on_grid:
                self._on_grid.add(made.name)

    def _is_quantized(self, call: Call, reads: set[str], made: Tensor) -> bool:
        op = call.op
        if is_convolution(op):
            return self._is_quantized_layer(op, made)
        if any(norm is op for norm in self._folds.values()):
            return self._is_layer(made)
        if _is_relu(op):
            return bool(reads & (self._layers | self._sums))
        if is_add(op) and len(call.reads) > 1:
            if reads & self._layers:
                self._sums.add(made.name)
        elif not is_product(op):
            return False
        return bool(reads & self._on_grid) and not self._goes_into_relu_alone(made)

    def _is_quantized_layer(self, op: Any, made: Tensor) -> bool:
        if op.name in self._folds:
            return False
        if not is_activation(op):
            return self._is_layer(made)
        if not _is_relu(op):
            raise QbenchError(
                f"quant.placement=contrib: {op.name} has the activation"
                f" {op.activation.__name__} inside; write it as a layer of its own, because"
                " contrib.quantize quantizes the tensor before it."
            )
        return True

    def _is_layer(self, made: Tensor) -> bool:
        """Note the output of a layer; whether it is quantized itself, as no ReLU reads it."""
        self._layers.add(made.name)
        return not any(map(_is_relu, self._readers.get(made.name, ())))

    def _goes_into_relu_alone(self, made: Tensor) -> bool:
        readers = self._readers.get(made.name, [])
        return len(readers) == 1 and _is_relu(readers[0]) and made.name not in self._ends


def _is_relu(op: Any) -> bool:
    """Whether an op ends in ReLU or ReLU6, the activations that contrib.quantize knows."""
    if isinstance(op, keras.layers.ReLU):
        return not op.negative_slope and not op.threshold and op.max_value in (None, 6)
    return smallest_output(op) is not None
