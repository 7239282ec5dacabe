"""The insertion plan: the result of the analysis, as plain data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from qbench.quantize.interface import KernelQuantizing, TensorQuantizing


@dataclass(frozen=True)
class Insertion:
    """One fake-quantization op that is inserted into a network.

    Attributes:
        layer: name of the inserted layer, which is the scope of its ops in a traced graph.
        placement: the first rule that quantizes the tensor.
        tensor: the quantized tensor: the name of the layer that makes it, `<layer> kernel`,
            `<layer> slopes`, or `<layer> gate` for the logistic function inside SiLU.
        is_kernel: whether the tensor is a kernel.
        source: where the range comes from (see `qbench.quantize.quantizer`).
        root: the gathered tensor whose values this tensor passes on; mostly the tensor itself,
            empty for kernels and slopes.
    """

    layer: str
    placement: str
    tensor: str
    is_kernel: bool
    source: str
    root: str = ""


@dataclass(frozen=True)
class Range:
    """The range of a tensor, gathered in every step.

    Attributes:
        tensor: the name of the tensor.
        layer: name of the layer that measures its range.
        smallest: the minimum of the tensor, if it is known without measuring; else None.
    """

    tensor: str
    layer: str
    smallest: float | None


@dataclass(frozen=True)
class Row:
    """The rows of the averages that hold a tensor's range.

    Attributes:
        own: the row of the tensor itself, or of its root if `is_root` is false.
        is_root: whether the range is the range of this tensor itself.
        tied: the rows of the other tensors that share the range; `own` is not among them.
    """

    own: int
    is_root: bool
    tied: tuple[int, ...] = ()


@dataclass(frozen=True)
class QuantizedTensor:
    """A tensor that is quantized once, for all its readers that need it quantized.

    Attributes:
        tensor: the name of the tensor.
        layer: name of the layer that quantizes it.
        root: the name of the tensor whose range is used.
        quantizer: the quantizer of the tensor.
        row: the rows that hold its range.
    """

    tensor: str
    layer: str
    root: str
    quantizer: TensorQuantizing
    row: Row


@dataclass(frozen=True)
class Read:
    """A float tensor that a call reads, or the output of the network.

    Attributes:
        tensor: the name of the tensor.
        root: the name of the tensor whose values it passes on.
        quantized: the quantized tensor that is read in its place; None if the tensor itself is
            read.
    """

    tensor: str
    root: str
    quantized: QuantizedTensor | None = None


@dataclass(frozen=True)
class QuantizedKernel:
    """A call of a layer with its kernels quantized.

    Attributes:
        layer: name of the layer that stands in for it.
        quantizer: the quantizer of the kernels.
        norm: the normalization that is folded into the kernel first, if any.
        freeze: whether `norm` uses its moving statistics in training too.
        constant: whether no gradient passes through the batch statistics of `norm`.
    """

    layer: str
    quantizer: KernelQuantizing
    norm: Any | None = None
    freeze: bool = False
    constant: bool = False


@dataclass(frozen=True)
class FoldedAway:
    """A call of a normalization that is folded into the layer before it.

    Attributes:
        into: the name of that layer.
    """

    into: str


@dataclass(frozen=True)
class Fused:
    """A call of a normalization through TensorFlow's fused op.

    Attributes:
        layer: name of the layer that stands in for it.
        freeze: whether it uses its moving statistics in training too.
    """

    layer: str
    freeze: bool


@dataclass(frozen=True)
class HeldInInference:
    """A call of a layer that computes as in inference, in training too.

    Attributes:
        layer: name of the layer that stands in for it.
    """

    layer: str


@dataclass(frozen=True)
class Gated:
    """A call of SiLU as a product of its input and a logistic function on a grid.

    Attributes:
        layer: name of the layer that stands in for it.
        gate: quantizes the logistic function.
    """

    layer: str
    gate: TensorQuantizing


@dataclass(frozen=True)
class QuantizedSlopes:
    """A call of a ReLU with trained slopes, which are quantized.

    Attributes:
        layer: name of the layer that stands in for it.
        quantizer: the quantizer of the slopes.
    """

    layer: str
    quantizer: KernelQuantizing


StandIn = QuantizedKernel | FoldedAway | Fused | HeldInInference | Gated | QuantizedSlopes


@dataclass(frozen=True)
class PlannedCall:
    """A call of a layer or operation.

    Attributes:
        op: the layer or operation.
        reads: the float tensors that it reads, in their order.
        makes: the names of the tensors that it returns.
        stand_in: what is called in place of `op`; None if `op` itself is called.
    """

    op: Any
    reads: tuple[Read, ...]
    makes: tuple[str, ...]
    stand_in: StandIn | None = None


@dataclass(frozen=True)
class InsertionPlan:
    """Everything that a scheme inserts into a network.

    Attributes:
        calls: the calls of the network, in order.
        last: the output of the network.
        output: the name of the tensor whose values `last` passes on.
        ranges: the ranges that every step gathers, by row; they depend only on the network.
        collector: name of the layer that stacks these ranges.
        insertions: the fake-quantization ops in the order of the graph.
        kernels: by layer, the placement that quantizes its kernels, and the quantizer.
        folds: the folded normalizations, by the name of the kernel's layer.
        shared_ranges: for each tensor with a shared range, all tensors that share it, itself
            included.
        entry: the name of the tensor that counts as the image, see `qbench.quantize.tensors.Graph`.
        lead: the names of the layers before it.
    """

    calls: tuple[PlannedCall, ...]
    last: Read
    output: str
    ranges: tuple[Range, ...]
    collector: str
    insertions: tuple[Insertion, ...]
    kernels: Mapping[str, tuple[str, KernelQuantizing]]
    folds: Mapping[str, Any]
    shared_ranges: Mapping[str, tuple[str, ...]]
    entry: str
    lead: tuple[str, ...]

    @property
    def tensors(self) -> tuple[str, ...]:
        """The names of the tensors whose range is gathered, by row."""
        return tuple(one.tensor for one in self.ranges)

    def kernel_rule(self, layer: str) -> tuple[str, KernelQuantizing] | None:
        """The placement that quantizes the kernels of a layer, and the quantizer."""
        return self.kernels.get(layer)

    def range_owner(self, root: str) -> str:
        """The tensor that stands for all tensors that share a range with `root`."""
        return self.shared_ranges.get(root, (root,))[0]

    @property
    def reads(self) -> tuple[Read, ...]:
        """Every read, in order; the output of the network comes last."""
        return (*(read for call in self.calls for read in call.reads), self.last)

    @property
    def quantized_tensors(self) -> tuple[QuantizedTensor, ...]:
        """Every quantized tensor once, in the order of their first quantized reads."""
        found = [read.quantized for read in self.reads if read.quantized is not None]
        return tuple(dict.fromkeys(found))
