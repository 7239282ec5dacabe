"""The graph of a model as data: its calls in order, and the tensors that they read and make."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any
from weakref import WeakKeyDictionary

import keras

from qbench.quantize.calls import is_in_inference
from qbench.quantize.entry import is_rescaling
from qbench.quantize.kind import ANY, Kind
from qbench.quantize.kinds import COMPUTING, kind_of
from qbench.quantize.traits import (
    is_activation,
    is_comparison,
    is_concatenation,
    is_convolution,
    is_identity_in_inference,
    keeps_grid,
    passes_values_through,
    reads_to_add,
)
from qbench.quantize.walk import functional, walk

IMAGE = "image"


@dataclass(frozen=True)
class Tensor:
    """A tensor of a model.

    Attributes:
        name: the name of the layer that makes it, with a number if the layer has made one before.
        producer: the layer that makes it; None for the model's input.
        root: the name of the tensor whose values it passes on, or whose grid it keeps; mostly its
            own name.
        depth: the largest number of convolutions on a path from the image.
    """

    name: str
    producer: Any
    root: str
    depth: int


@dataclass(frozen=True, eq=False)
class Call:
    """A call of a layer or operation.

    Attributes:
        op: the layer or operation.
        args, kwargs: the arguments of the call; see `qbench.quantize.walk`.
        reads: the float tensors among the arguments; masks and indices are no float tensors.
        makes: every tensor that it returns.
    """

    op: Any
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    reads: tuple[Tensor, ...]
    makes: tuple[Tensor, ...]

    @property
    def kind(self) -> Kind | None:
        """What qbench knows about the layer or operation; None if it knows nothing."""
        return kind_of(self.op, self.kwargs)

    @property
    def depth(self) -> int:
        """The depth of the deepest tensor that it reads."""
        return max((tensor.depth for tensor in self.reads), default=0)

    @property
    def joins(self) -> bool:
        """Whether it is an addition or a concatenation of several tensors."""
        return reads_to_add(self.op, len(self.reads)) or is_concatenation(self.op)

    @property
    def passes(self) -> bool:
        """Whether it returns only values of the first tensor that it reads, and 0."""
        return bool(self.reads) and passes_values_through(self.op, self.kwargs)

    @property
    def averages_one(self) -> bool:
        """Whether it averages one value and keeps the axes, so that no file contains it."""
        if self.kind is None or self.kind.name != "global average":
            return False
        before, after = self.args[0].shape, self.op.compute_output_spec(self.args[0]).shape
        return None not in before[1:] and tuple(before) == tuple(after)

    @property
    def is_left_out(self) -> bool:
        """Whether no file contains it: it acts only in training, or averages one value."""
        one = len(self.reads) == len(self.makes) == 1
        return one and (self.averages_one or is_identity_in_inference(self.op))

    @property
    def is_masked(self) -> bool:
        """Whether it gets a mask, even if Keras passes the mask on automatically."""
        return self.kwargs.get("mask") is not None

    @property
    def is_in_inference(self) -> bool:
        """Whether it gets `training=False`."""
        return is_in_inference(self.kwargs)


@dataclass(frozen=True, eq=False)
class Graph:
    """A model as data.

    Attributes:
        operations: its layers and operations, also those without a call, such as its input.
        calls: its calls, in order.
        tensors: its tensors, by name.
        output: the output of the model.
        lead: the layers at the beginning that only rescale the image.
        entry: the name of the tensor that counts as the image: the tensor behind `lead`, or the
            input of the model.
        symbols: the names of the symbolic tensors in the arguments of the calls, by their id.
    """

    operations: tuple[Any, ...]
    calls: tuple[Call, ...]
    tensors: Mapping[str, Tensor]
    output: Tensor
    lead: tuple[Any, ...] = ()
    entry: str = IMAGE
    symbols: Mapping[int, str] = field(default_factory=dict)

    def is_image(self, tensor: Tensor) -> bool:
        """Whether a tensor has the values of the image."""
        return tensor.root == self.entry

    def leads(self, call: Call) -> bool:
        """Whether a call rescales the image at the beginning."""
        return any(call.op is op for op in self.lead)

    def root(self, tensor: Tensor) -> Tensor:
        """The tensor whose values this one passes on."""
        return self.tensors[tensor.root]

    def root_in_file(self, tensor: Tensor) -> Tensor:
        """The tensor whose grid this one has in a file, which leaves some calls out.

        What is left out keeps the grid of what it reads, if that has one for any reader.
        """
        root = self.root(tensor)
        call = self._makers.get(root.name)
        if call is None or not call.is_left_out:
            return root
        (read,) = call.reads
        return self.root_in_file(read) if read.root in self.gathered else root

    def is_gathered(self, call: Call, tensor: Tensor) -> bool:
        """Whether this reader makes it necessary to gather the range of a tensor's root.

        It does if any placement could quantize the tensor for this reader.
        """
        if self.leads(call):
            return False
        if self.is_image(tensor) or is_activation(self.root(tensor).producer):
            return True
        return self._needs_grid(call, tensor)

    def _needs_grid(self, call: Call, tensor: Tensor) -> bool:
        """Whether an integer kernel of the reader needs a grid of the tensor.

        An addition of a number, or a product with one, needs none behind a convolution: the
        converter makes it part of the convolution. Nor does a ReLU behind most kernels. What is
        concatenated or compared has one, or the converter gives it that of one of its parts.
        """
        kind, maker = call.kind, self.root(tensor).producer
        if (is_concatenation(maker) or is_comparison(maker)) and not call.passes:
            cuts = kind is not None and kind.activates and kind.inputs == ANY and bool(kind.file)
            return is_comparison(maker) or not cuts
        if kind is None:
            return False
        if kind.inputs == ANY:
            before = kind_of(tensor.producer)
            return kind.activates and before is not None and not before.takes_relu
        with_number = kind.name in COMPUTING and len(call.reads) == 1
        turned = kind.name == "subtraction" and not keras.utils.is_keras_tensor(call.args[0])
        joins = is_convolution(self._before_normalization(tensor)) and not turned
        return not (with_number and joins)

    def _before_normalization(self, tensor: Tensor) -> Any:
        """The layer that makes a tensor, or the one before a batch normalization that makes it."""
        if not isinstance(tensor.producer, keras.layers.BatchNormalization):
            return tensor.producer
        return next((read.producer for read in self._makers[tensor.name].reads), None)

    @cached_property
    def _makers(self) -> Mapping[str, Call]:
        """The call that makes a tensor, by its name."""
        return {tensor.name: call for call in self.calls for tensor in call.makes}

    @cached_property
    def gathered(self) -> tuple[str, ...]:
        """The tensors whose range is gathered in every step, in the order of their first reader."""
        found = [
            tensor.root
            for call in self.calls
            for tensor in call.reads
            if self.is_gathered(call, tensor)
        ]
        return tuple(dict.fromkeys([*found, self.output.root]))


_graphs: WeakKeyDictionary[Any, Graph] = WeakKeyDictionary()


def graph_of(model: Any) -> Graph:
    """The graph of a functional or sequential model with one input and one output.

    This function calls the layers on symbolic tensors and adds nothing to the model. The graph is
    read once and kept as long as the model.
    """
    if model not in _graphs:
        _graphs[model] = _read(functional(model))
    return _graphs[model]


def _read(model: Any) -> Graph:
    image = Tensor(IMAGE, None, IMAGE, 0)
    names, calls = {IMAGE}, []
    known: dict[int, Tensor] = {}
    held = []  # keeps the symbolic tensors alive, so that no two of them have one id

    def call(op: Any, *args: Any, **kwargs: Any) -> Any:
        output = op(*args, **kwargs)
        held.append(output)
        reads = tuple(known.get(id(value), image) for value in float_tensors((args, kwargs)))
        one = Call(op, args, kwargs, reads, ())
        made = {id(value): _made(one, unique(op.name, names)) for value in keras_tensors(output)}
        known.update(made)
        calls.append(replace(one, makes=tuple(made.values())))
        return output

    (output,) = walk(model, call).outputs
    tensors = {tensor.name: tensor for tensor in (image, *known.values())}
    last = known.get(id(output), image)
    symbols = {key: tensor.name for key, tensor in known.items()}
    return Graph(tuple(model.operations), tuple(calls), tensors, last, *_lead(calls), symbols)


def _lead(calls: list[Call]) -> tuple[tuple[Any, ...], str]:
    """The layers at the beginning that only rescale the image, and the tensor behind them.

    Each of them is called once, and is the only reader of its input.
    """
    found: list[Any] = []
    entry = IMAGE
    while True:
        reading = [call for call in calls if any(one.name == entry for one in call.reads)]
        if len(reading) != 1 or not is_rescaling(reading[0].op):
            return tuple(found), entry
        (call,) = reading
        if sum(other.op is call.op for other in calls) > 1:
            return tuple(found), entry
        found.append(call.op)
        entry = call.makes[0].name


def _made(call: Call, name: str) -> Tensor:
    """A tensor with this name that a call makes."""
    keeps = call.passes or (call.reads and keeps_grid(call.op))
    root = call.reads[0].root if keeps else name
    return Tensor(name, call.op, root, call.depth + is_convolution(call.op))


def keras_tensors(structure: Any) -> list[Any]:
    """All symbolic tensors in a nested structure."""
    return [leaf for leaf in keras.tree.flatten(structure) if keras.utils.is_keras_tensor(leaf)]


def float_tensors(structure: Any) -> list[Any]:
    """The symbolic tensors that can be quantized; masks and indices cannot."""
    return [tensor for tensor in keras_tensors(structure) if is_float(tensor)]


def is_float(leaf: Any) -> bool:
    """Whether it is a symbolic tensor that can be quantized."""
    return keras.utils.is_keras_tensor(leaf) and "float" in leaf.dtype


def unique(name: str, taken: set[str]) -> str:
    """`name`, with a number if it is taken: a layer may be called more than once."""
    unique, k = name, 1
    while unique in taken:
        k += 1
        unique = f"{name}.{k}"
    taken.add(unique)
    return unique
