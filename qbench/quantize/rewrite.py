"""Rewrites a functional Keras model into a view that quantizes, over the same variables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras

from qbench.base.errors import QbenchError
from qbench.quantize.folded import WithFoldedKernel
from qbench.quantize.folding import called_in_inference, foldable, is_in_inference
from qbench.quantize.kernels import KernelQuantizer
from qbench.quantize.layers import (
    FakeQuantize,
    FusedBatchNormalization,
    InInference,
    MeasureRange,
    Row,
    StackRanges,
    WithQuantizedKernel,
)
from qbench.quantize.placement import (
    PLACEMENTS,
    is_activation,
    is_average,
    is_convolution,
    keeps_grid,
    kernels,
    passes_values_through,
    smallest_output,
)
from qbench.quantize.quantizer import Quantizer
from qbench.quantize.ranges import RangeAverages
from qbench.quantize.scheme import QuantizationScheme
from qbench.quantize.shared_ranges import groups
from qbench.quantize.tensors import IMAGE, Reader, Tensor, unique
from qbench.quantize.view import Insertion, View
from qbench.quantize.walk import functional, walk


def rewrite(
    model: Any, scheme: QuantizationScheme | None, averages: RangeAverages | None = None
) -> View:
    """A view of `model` that gathers ranges and, with a scheme, quantizes.

    Args:
        model: functional or sequential Keras model with one input and one output and without
            models inside; it is not changed.
        scheme: what to quantize and how; None leaves every tensor float.
        averages: needed with a scheme: the averages gathered by the model's float view.

    Ranges are gathered of the image, of every tensor that some placement could quantize, and of
    the output, whatever the scheme says. Batch normalization is fused, or folded into quantized
    kernels where the scheme says so. A tensor is quantized at most once, and not again behind an
    op that passes its values through.

    Raises:
        QbenchError: the model is of another kind.
    """
    model = functional(model)
    for inner in model.operations if hasattr(model, "operations") else [model]:
        if isinstance(inner, keras.Model):
            raise QbenchError(
                f"the model {model.name} is or holds {inner.name}, a model of its own; qbench"
                " rewrites one flat functional graph."
            )
    return Rewriter(scheme, averages).run(model)


class Rewriter:
    """One rewrite: `call` is handed every layer of the model in the order of its graph."""

    def __init__(self, scheme: QuantizationScheme | None, averages: RangeAverages | None) -> None:
        self.scheme = scheme
        self.averages = averages
        self.rules = [(name, PLACEMENTS[name]) for name in (scheme.placement if scheme else ())]
        self.rows = {name: row for row, name in enumerate(averages.tensors)} if averages else {}
        self.folds: dict[str, Any] = {}
        self.in_inference: set[str] = set()
        self.ends: set[str] = set()
        self.output = ""
        self.joined: list[list[str]] = []
        self.shared_ranges: Mapping[str, tuple[str, ...]] = {}
        self.known: dict[int, Tensor] = {}
        self.gathered: list[Tensor] = []
        self.insertions: list[Insertion] = []
        self.tensor_names = {IMAGE}
        self.layer_names: set[str] = set()

    def run(self, model: Any) -> View:
        """The whole rewrite."""
        clone = self._walk(model)
        (output,) = clone.outputs
        tensor = self._tensor(output)
        self.output = tensor.root.name
        self._gather(tensor.root)
        tensor = self._wanted(tensor, self.scheme.edge if self.scheme else None)
        self.gathered.sort(key=lambda tensor: tensor.row)
        ranges = StackRanges(name=self._layer_name("ranges"))(
            [tensor.range for tensor in self.gathered]
        )
        view = keras.Model(clone.inputs, [tensor.value, ranges], name=model.name)
        return View(view, tuple(tensor.name for tensor in self.gathered), tuple(self.insertions))

    def _walk(self, model: Any) -> Any:
        """Every layer called in its turn."""
        self.layer_names |= {op.name for op in model.operations}
        names = [op.name for op in model.operations if is_convolution(op)]
        self.ends = {*names[:1], *names[-1:]}
        self.folds = self._foldings(model)
        self.in_inference = called_in_inference(model) if self.folds else set()
        if self.scheme is not None and (self.scheme.share_ranges or self.scheme.has_edges):
            plain = Rewriter(None, self.averages)
            plain.run(model)
            self.output = plain.output
            self.shared_ranges = groups(plain.joined) if self.scheme.share_ranges else {}
        return walk(model, self.call)

    def _foldings(self, model: Any) -> dict[str, Any]:
        """The batch normalizations that are folded into kernels, by convolution."""
        if self.scheme is None or not self.scheme.fold:
            return {}
        return {name: norm for name, norm in foldable(model).items() if self.kernel_rule(name)}

    def kernel_rule(self, name: str) -> tuple[str, KernelQuantizer] | None:
        """The placement that wants the kernels of a layer quantized, and the quantizer."""
        if self.scheme is None:
            return None
        kernel = self.scheme.edge_kernel if name in self.ends else self.scheme.kernel
        wanting = (placement for placement, rule in self.rules if rule.kernels)
        placement = next(wanting, None)
        return (placement, kernel) if placement and kernel else None

    def call(self, op: Any, *args: Any, **kwargs: Any) -> Any:
        """Calls `op` or what stands in for it, on inputs that may have been quantized."""
        flat = keras.tree.flatten((args, kwargs))
        read = [self._tensor(value) for value in flat if _is_float(value)]
        depth = max((tensor.depth for tensor in read), default=0)
        reader = Reader(op, len(read), depth)
        if reader.joins:
            self.joined.append([tensor.root.name for tensor in read])
        tensors: list[Tensor] = []

        def in_place_of(value: Any) -> Any:
            if not _is_float(value):
                return value
            tensors.append(self._input(reader, self._tensor(value)))
            return tensors[-1].value

        args, kwargs = keras.tree.map_structure(in_place_of, (args, kwargs))
        if self._is_folded(op):
            tensors[0].name, tensors[0].producer = unique(op.name, self.tensor_names), op
            return tensors[0].value
        output = self._apply(op, *args, **kwargs)
        for value in filter(keras.utils.is_keras_tensor, keras.tree.flatten(output)):
            made = self._tensor(value, unique(op.name, self.tensor_names), op)
            made.depth = depth + is_convolution(op)
            passes = passes_values_through(op, kwargs)
            if tensors and (passes or keeps_grid(op)):
                made.root = tensors[0].root
                made.is_quantized = passes and tensors[0].is_quantized
        return output

    def _is_folded(self, op: Any) -> bool:
        """Whether `op` is a normalization that its convolution has done already."""
        return any(op is norm for norm in self.folds.values())

    def _apply(self, op: Any, *args: Any, **kwargs: Any) -> Any:
        freeze = self.scheme is not None and self.scheme.freeze
        in_inference = isinstance(op, keras.Layer) and is_in_inference(kwargs)
        if isinstance(op, keras.layers.BatchNormalization):
            in_inference = in_inference or freeze
            if FusedBatchNormalization.can_fuse(op, args[0]) and kwargs.get("mask") is None:
                name = self._layer_name(f"{op.name}.fused")
                return FusedBatchNormalization(op, name, in_inference)(args[0])
        if in_inference and not is_convolution(op):
            kwargs = {name: value for name, value in kwargs.items() if name != "training"}
            return InInference(op, self._layer_name(f"{op.name}.frozen"))(*args, **kwargs)
        wanted = self.kernel_rule(op.name) if is_convolution(op) else None
        if wanted is None:
            return op(*args, **kwargs)
        placement, quantizer = wanted
        name = self._layer_name(f"{op.name}.kernel.quantized")
        source = quantizer.quantizer.source
        one = Insertion(name, placement, f"{op.name} kernel", True, source)
        self.insertions += [one] * len(kernels(op))
        if op.name in self.folds:
            norm = self.folds[op.name]
            freeze = freeze or norm.name in self.in_inference
            return WithFoldedKernel(op, norm, quantizer, freeze, name)(*args, **kwargs)
        return WithQuantizedKernel(op, quantizer, name)(*args, **kwargs)

    def _input(self, reader: Reader, tensor: Tensor) -> Tensor:
        """What a reader reads in place of `tensor`: itself, or its quantized self."""
        root = tensor.root
        self._gather_read(reader, root)
        if self.scheme is None or tensor.is_quantized:
            return tensor
        if root.producer is None:
            return self._wanted(tensor, self.scheme.edge)
        placement = self._placement(reader, tensor)
        is_edge = root.name == self.output  # behind it only ops that pass its values on
        quantizer = self.scheme.edge if is_edge else self.scheme.activation
        return self._quantize(tensor, placement, quantizer) if placement and quantizer else tensor

    def _placement(self, reader: Reader, tensor: Tensor) -> str | None:
        """The placement that wants `tensor` quantized where it is read."""
        rules, read = self.rules, (reader.op, reader.operands)
        wanting = [name for name, rule in rules if rule.gathered and tensor.root.name in self.rows]
        wanting += [name for name, rule in rules if rule.outputs_of(tensor.producer)]
        wanting += [name for name, rule in rules if rule.inputs_of(*read)]
        if tensor.depth < reader.depth:
            wanting += [name for name, rule in rules if rule.shortcuts_of(*read)]
        return wanting[0] if wanting else None

    def _wanted(self, tensor: Tensor, quantizer: Quantizer | None) -> Tensor:
        """The image or the output, quantized if a placement wants that."""
        wanting = [name for name, rule in self.rules if rule.gathered]
        if tensor.is_quantized or not wanting or quantizer is None:
            return tensor
        return self._quantize(tensor, wanting[0], quantizer)

    def _quantize(self, tensor: Tensor, placement: str, quantizer: Quantizer) -> Tensor:
        """The quantized self of `tensor`, made the first time somebody asks."""
        if tensor.quantized is None:
            assert self.averages is not None
            self._gather(tensor.root)
            name = self._layer_name(f"{tensor.name}.quantized")
            root = tensor.root
            tied = [
                self.rows[other]
                for other in self.shared_ranges.get(root.name, ())
                if other in self.rows
            ]
            row = Row(root.row, tensor is root, tuple(other for other in tied if other != root.row))
            layer = FakeQuantize(quantizer, self.averages, row, name)
            made = self._tensor(layer(tensor.value, *root.range), tensor.name)
            made.producer, made.root, made.is_quantized = tensor.producer, tensor.root, True
            tensor.quantized = made
            self.insertions.append(
                Insertion(name, placement, tensor.name, False, quantizer.source, root.name)
            )
        return tensor.quantized

    def _gather_read(self, reader: Reader, root: Tensor) -> None:
        """Gather the range of a root that is read, if any placement could quantize it."""
        if root.producer is None or is_activation(root.producer):
            self._gather(root)
        if is_convolution(reader.op) or reader.joins or is_average(reader.op):
            self._gather(root)

    def _gather(self, root: Tensor) -> None:
        """Measure the range of `root` in every step."""
        if root.range is None:
            name = self._layer_name(f"{root.name}.range")
            root.range = MeasureRange(smallest_output(root.producer), name)(root.value)
            root.row = self.rows.get(root.name, len(self.gathered))
            self.gathered.append(root)

    def _tensor(self, value: Any, name: str = IMAGE, producer: Any = None) -> Tensor:
        return self.known.setdefault(id(value), Tensor(value, name, producer))

    def _layer_name(self, name: str) -> str:
        return unique(name, self.layer_names)


def _is_float(value: Any) -> bool:
    """Whether it is a tensor that can be quantized; masks and indices are handed on as they are."""
    return keras.utils.is_keras_tensor(value) and "float" in value.dtype
