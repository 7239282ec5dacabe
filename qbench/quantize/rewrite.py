"""Rewrites a functional Keras model into a view that quantizes, over the same variables."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import keras

from qbench.errors import QbenchError
from qbench.quantize.layers import (
    FakeQuantize,
    FusedBatchNormalization,
    MeasureRange,
    StackRanges,
    WithQuantizedKernel,
)
from qbench.quantize.placement import (
    PLACEMENTS,
    is_activation,
    is_convolution,
    kernels,
    passes_values_through,
    reads_to_add,
    smallest_output,
)
from qbench.quantize.quantizer import QuantizationScheme
from qbench.quantize.ranges import RangeAverages


@dataclass(frozen=True)
class Insertion:
    """One fake-quantization op that a rewrite put into the model.

    Attributes:
        layer: name of the inserted layer, the scope of its ops in a traced graph.
        placement: the rule that asked for it first.
        tensor: what it quantizes: the layer whose output it is, or `<layer> kernel`.
        is_kernel: whether that is a kernel.
        source: where the range comes from (see `qbench.quantize.quantizer`).
        root: the gathered tensor whose values it passes on; itself for most, empty for kernels.
    """

    layer: str
    placement: str
    tensor: str
    is_kernel: bool
    source: str
    root: str = ""


@dataclass(frozen=True)
class View:
    """A rewritten model.

    Attributes:
        model: Keras model from the image to [network output, ranges (n, 2)], where n is the
            number of tensors whose range is gathered.
        tensors: the names of those n tensors; they depend on the network alone.
        insertions: the fake-quantization ops of this view, in the order of the graph.
    """

    model: Any
    tensors: tuple[str, ...]
    insertions: tuple[Insertion, ...]


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
    the output, whatever the scheme says. Batch normalization is fused. A tensor is quantized at
    most once, and not again behind an op that passes its values through.

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


def functional(model: Any) -> Any:
    """A sequential model as the functional one that it is."""
    if isinstance(model, keras.Sequential):
        return keras.Model(model.inputs, model.outputs, name=model.name)
    return model


def walk(model: Any, call: Any) -> Any:
    """The model built anew by `call(op, *args, **kwargs)` for each op, over the same layers."""
    model = functional(model)
    return keras.models.clone_model(model, clone_function=lambda layer: layer, call_function=call)


_IMAGE = "image"


@dataclass(eq=False)
class Tensor:
    """What the rewriter knows about one tensor of the view under construction.

    Attributes:
        value: the Keras tensor, held so that its id stays its own.
        name: the layer whose output it is.
        producer: that layer, None for the model's input.
        root: the tensor whose values this one passes on; itself for most.
        is_quantized: its values lie on a grid already.
        range: the two scalar Keras tensors measured of a root, once it is gathered.
        row: the root's row among the gathered tensors.
        quantized: its quantized self, once somebody asked for it.
    """

    value: Any
    name: str
    producer: Any = None
    root: Tensor = field(init=False)
    is_quantized: bool = False
    range: Any = None
    row: int = -1
    quantized: Tensor | None = None

    def __post_init__(self) -> None:
        self.root = self


class Rewriter:
    """One rewrite: `call` is handed every layer of the model in the order of its graph."""

    def __init__(self, scheme: QuantizationScheme | None, averages: RangeAverages | None) -> None:
        self.scheme = scheme
        self.averages = averages
        self.rules = [(name, PLACEMENTS[name]) for name in (scheme.placement if scheme else ())]
        self.known: dict[int, Tensor] = {}
        self.gathered: list[Tensor] = []
        self.insertions: list[Insertion] = []
        self.tensor_names = {_IMAGE}
        self.layer_names: set[str] = set()

    def run(self, model: Any) -> View:
        """The whole rewrite."""
        self.layer_names |= {op.name for op in model.operations}
        clone = walk(model, self.call)
        (output,) = clone.outputs
        self._gather(self._tensor(output).root)
        ranges = StackRanges(name=self._layer_name("ranges"))(
            [tensor.range for tensor in self.gathered]
        )
        view = keras.Model(clone.inputs, [output, ranges], name=model.name)
        return View(view, tuple(tensor.name for tensor in self.gathered), tuple(self.insertions))

    def call(self, op: Any, *args: Any, **kwargs: Any) -> Any:
        """Calls `op` or what stands in for it, on inputs that may have been quantized."""
        operands = sum(map(keras.utils.is_keras_tensor, keras.tree.flatten((args, kwargs))))
        tensors: list[Tensor] = []

        def read(value: Any) -> Any:
            if not keras.utils.is_keras_tensor(value):
                return value
            tensors.append(self._input(op, operands, self._tensor(value)))
            return tensors[-1].value

        args, kwargs = keras.tree.map_structure(read, (args, kwargs))
        output = self._apply(op, *args, **kwargs)
        for value in filter(keras.utils.is_keras_tensor, keras.tree.flatten(output)):
            made = self._tensor(value, _unique(op.name, self.tensor_names), op)
            if passes_values_through(op) and tensors:
                made.root = tensors[0].root
                made.is_quantized = tensors[0].is_quantized
        return output

    def _apply(self, op: Any, *args: Any, **kwargs: Any) -> Any:
        if FusedBatchNormalization.can_fuse(op, args[0]) and kwargs.get("mask") is None:
            return FusedBatchNormalization(op, self._layer_name(f"{op.name}.fused"))(args[0])
        for placement, rule in self.rules:
            if rule.kernels and is_convolution(op):
                assert self.scheme is not None
                name = self._layer_name(f"{op.name}.kernel.quantized")
                quantizer = self.scheme.kernel
                one = Insertion(name, placement, f"{op.name} kernel", True, quantizer.source)
                self.insertions += [one] * len(kernels(op))
                return WithQuantizedKernel(op, quantizer, name)(*args, **kwargs)
        return op(*args, **kwargs)

    def _input(self, op: Any, operands: int, tensor: Tensor) -> Tensor:
        """What `op` reads in place of `tensor`: itself, or its quantized self."""
        self._gather_read(op, operands, tensor.root)
        if tensor.root.producer is None or tensor.is_quantized:
            return tensor
        for placement, rule in self.rules:
            if rule.outputs_of(tensor.producer):
                return self._quantize(tensor, placement)
        for placement, rule in self.rules:
            if rule.inputs_of(op, operands):
                return self._quantize(tensor, placement)
        return tensor

    def _quantize(self, tensor: Tensor, placement: str) -> Tensor:
        """The quantized self of `tensor`, made the first time somebody asks."""
        if tensor.quantized is None:
            assert self.scheme is not None and self.averages is not None
            name = self._layer_name(f"{tensor.name}.quantized")
            quantizer = self.scheme.activation
            root = tensor.root
            layer = FakeQuantize(quantizer, self.averages, root.row, tensor is root, name)
            made = self._tensor(layer(tensor.value, *root.range), tensor.name)
            made.producer, made.root, made.is_quantized = tensor.producer, tensor.root, True
            tensor.quantized = made
            self.insertions.append(
                Insertion(name, placement, tensor.name, False, quantizer.source, root.name)
            )
        return tensor.quantized

    def _gather_read(self, op: Any, operands: int, root: Tensor) -> None:
        """Gather the range of a root that `op` reads, if any placement could quantize it."""
        if root.producer is None or is_activation(root.producer):
            self._gather(root)
        if is_convolution(op) or reads_to_add(op, operands):
            self._gather(root)

    def _gather(self, root: Tensor) -> None:
        """Measure the range of `root` in every step."""
        if root.range is None:
            name = self._layer_name(f"{root.name}.range")
            root.range = MeasureRange(smallest_output(root.producer), name)(root.value)
            root.row = len(self.gathered)
            self.gathered.append(root)

    def _tensor(self, value: Any, name: str = _IMAGE, producer: Any = None) -> Tensor:
        return self.known.setdefault(id(value), Tensor(value, name, producer))

    def _layer_name(self, name: str) -> str:
        return _unique(name, self.layer_names)


def _unique(name: str, taken: set[str]) -> str:
    """`name`, numbered if it is taken already: a layer may be called more than once."""
    unique, k = name, 1
    while unique in taken:
        k += 1
        unique = f"{name}.{k}"
    taken.add(unique)
    return unique
