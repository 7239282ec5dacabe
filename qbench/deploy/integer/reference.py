"""Runs a LiteRT file in integers."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from qbench.base.errors import QbenchError
from qbench.deploy.integer import elementwise, enlarging, moves, pointwise, products, tables
from qbench.deploy.integer.arithmetic import Int8
from qbench.deploy.integer.graph import Operator, Tensor, read_graph
from qbench.deploy.integer.node import Node, Step

OPERATORS: dict[str, Callable[[Node], Step]] = {
    "ADD": pointwise.add,
    "AVERAGE_POOL_2D": pointwise.average_pool,
    "CONCATENATION": pointwise.concatenation,
    "CONV_2D": products.convolution,
    "DEPTHWISE_CONV_2D": products.depthwise_convolution,
    "FULLY_CONNECTED": products.fully_connected,
    "HARD_SWISH": tables.hard_swish,
    "LEAKY_RELU": elementwise.leaky_relu,
    "LOGISTIC": tables.logistic,
    "MAXIMUM": elementwise.maximum,
    "MAX_POOL_2D": pointwise.max_pool,
    "MEAN": pointwise.mean,
    "MINIMUM": elementwise.minimum,
    "MUL": elementwise.multiply,
    "PAD": pointwise.pad,
    "QUANTIZE": pointwise.requantize,
    "REDUCE_MAX": moves.reduce_max,
    "RESHAPE": pointwise.reshape,
    "RESIZE_BILINEAR": enlarging.bilinear,
    "RESIZE_NEAREST_NEIGHBOR": moves.nearest,
    "STRIDED_SLICE": moves.strided_slice,
    "SUB": elementwise.subtract,
    "TANH": tables.tanh,
    "TRANSPOSE": moves.transpose,
    "TRANSPOSE_CONV": enlarging.transposed_convolution,
}
# In a file with a variable batch size, these operators compute the shape for RESHAPE and
# TRANSPOSE_CONV, in int32. They are not run: the file states the shapes of all tensors.
_SHAPES = ("SHAPE", "STRIDED_SLICE", "PACK")

# The inputs of operators that also read a shape.
_READ = {"RESHAPE": slice(1), "TRANSPOSE_CONV": slice(1, None)}


class IntegerFile:
    """An int8 file with one output. It runs bit for bit like LiteRT's reference kernels.

    Attributes:
        graph: the graph of the file.
        inputs: the input tensors.
        output: the output tensor.
    """

    def __init__(self, content: bytes) -> None:
        """Read a file and prepare its operators.

        Args:
            content: the bytes of the file.

        Raises:
            QbenchError: the content is not a LiteRT file, the file is damaged, or the integer
                reference does not support one of its tensors or operators.
        """
        self.graph = read_graph(content)
        if len(self.graph.outputs) != 1:
            raise QbenchError(
                f"the file has {len(self.graph.outputs)} outputs; the integer reference runs files"
                " with one."
            )
        self.inputs = tuple(self.graph.tensors[number] for number in self.graph.inputs)
        self.output: Tensor = self.graph.tensors[self.graph.outputs[0]]
        for tensor in self.inputs:
            if tensor.dtype != "int8":
                raise QbenchError(
                    f"the file takes {tensor.dtype}; the integer reference runs int8 files."
                )
        self._steps = self._built()

    def run(self, *codes: Int8, batch: int = 20) -> Int8:
        """The output codes, int8 (N, ...).

        Args:
            codes: one int8 array (N, ...) per input. Its shape is the shape in the file, with N in
                place of the batch size 1.
            batch: number of images in one pass; it does not change the codes.

        Raises:
            QbenchError: the number of arrays, a shape or a type does not match the file's inputs.
        """
        count = self._checked(codes)
        parts = [[each[k : k + batch] for each in codes] for k in range(0, count, batch)]
        return np.concatenate([self.trace(*part)[self.output.index] for part in parts])

    def trace(self, *codes: Int8) -> dict[int, Int8]:
        """The codes of the inputs and of every computed tensor, int8 (N, ...), by tensor index.

        Args:
            codes: the input codes, as in `run`.

        Raises:
            QbenchError: the number of arrays, a shape or a type does not match the file's inputs.
        """
        self._checked(codes)
        values = {tensor.index: each for tensor, each in zip(self.inputs, codes, strict=True)}
        for operator, step in self._steps:
            made = step.apply(*(values[number] for number in operator.inputs if number in values))
            if made.dtype != np.int8:
                raise TypeError(f"{operator.name} made {made.dtype}")
            values[operator.outputs[0]] = made
        return values

    def _checked(self, codes: tuple[Int8, ...]) -> int:
        """Check the input codes and return the number of images."""
        if len(codes) != len(self.inputs):
            raise QbenchError(f"the file has {len(self.inputs)} inputs, given are {len(codes)}.")
        count = len(codes[0]) if codes and codes[0].ndim else 0
        for tensor, each in zip(self.inputs, codes, strict=True):
            if not count or each.dtype != np.int8 or each.shape != (count, *tensor.shape[1:]):
                sizes = ", ".join(map(str, ("N", *tensor.shape[1:])))
                raise QbenchError(
                    f"the file takes int8 codes of shape ({sizes}), not {each.dtype} of"
                    f" {each.shape}."
                )
        return count

    def _makes_shape(self, operator: Operator) -> bool:
        """Whether an operator makes whole numbers, such as sizes, and no codes."""
        return all(self.graph.tensors[k].dtype in ("int32", "int64") for k in operator.outputs)

    def _built(self) -> list[tuple[Operator, Step]]:
        """The operators in order, each with its step; the shapes in the file are checked."""
        known = {tensor.index for tensor in self.inputs}
        steps = []
        for number, operator in enumerate(self.graph.operators):
            if operator.name in _SHAPES and self._makes_shape(operator):
                continue
            if operator.name not in OPERATORS:
                raise QbenchError(
                    f"operator {number} of the file is {operator.name}; the integer reference has"
                    f" {', '.join(OPERATORS)}."
                )
            node = Node(self.graph, number)
            for index in operator.inputs[_READ.get(operator.name, slice(None))]:
                if index >= 0 and index not in known and self.graph.tensors[index].data is None:
                    raise node.error(f"reads tensor {index}, which nothing made before")
            step = OPERATORS[operator.name](node)
            if step.shape != node.output.shape:
                raise node.error(
                    f"makes the shape {step.shape}; the file states {node.output.shape}"
                )
            if node.output.index in known or node.output.data is not None:
                raise node.error(f"makes tensor {node.output.index}, which is there already")
            known.add(node.output.index)
            steps.append((operator, step))
        if self.output.index not in known:
            raise QbenchError("not a LiteRT file, or a damaged one: nothing makes its output.")
        return steps
