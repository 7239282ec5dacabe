"""What quantization puts where into a network: the outcome of the analysis, as plain data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from qbench.quantize.kernels import KernelQuantizer
from qbench.quantize.quantizer import Quantizer


@dataclass(frozen=True)
class Insertion:
    """One fake-quantization op that is put into a network.

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
class Range:
    """The range of a tensor, gathered in every step.

    Attributes:
        tensor: its name.
        layer: name of the layer that measures it.
        smallest: the tensor's minimum where it is known, so that it need not be measured.
    """

    tensor: str
    layer: str
    smallest: float | None


@dataclass(frozen=True)
class Row:
    """Where a tensor's range stands in the averages.

    Attributes:
        own: the row of the tensor or, unless `is_root`, of its root.
        is_root: whether the range is this very tensor's.
        tied: the rows of other tensors that share the range, never its own.
    """

    own: int
    is_root: bool
    tied: tuple[int, ...] = ()


@dataclass(frozen=True)
class QuantizedTensor:
    """A tensor that is quantized once, for all that read it so.

    Attributes:
        tensor: its name.
        layer: name of the layer that quantizes it.
        root: the tensor whose range counts.
        quantizer: what quantizes it.
        row: where its range stands.
    """

    tensor: str
    layer: str
    root: str
    quantizer: Quantizer
    row: Row


@dataclass(frozen=True)
class Read:
    """A float tensor that a call reads, or that the network gives.

    Attributes:
        tensor: its name.
        root: the name of the tensor whose values it passes on.
        quantized: what is read in its place; None for the tensor itself.
    """

    tensor: str
    root: str
    quantized: QuantizedTensor | None = None


@dataclass(frozen=True)
class QuantizedKernel:
    """A call of a layer with its kernels quantized.

    Attributes:
        layer: name of the layer that stands in for it.
        quantizer: of its kernels.
        norm: the normalization that is folded into the kernel first, if any.
        freeze: whether that works by its moving statistics in training too.
    """

    layer: str
    quantizer: KernelQuantizer
    norm: Any | None = None
    freeze: bool = False


@dataclass(frozen=True)
class FoldedAway:
    """A call of a normalization that the layer before it has done already.

    Attributes:
        into: the name of that layer.
    """

    into: str


@dataclass(frozen=True)
class Fused:
    """A call of a normalization through TensorFlow's fused op.

    Attributes:
        layer: name of the layer that stands in for it.
        freeze: whether it works by its moving statistics in training too.
    """

    layer: str
    freeze: bool


@dataclass(frozen=True)
class HeldInInference:
    """A call of a layer that works as in inference, in training too.

    Attributes:
        layer: name of the layer that stands in for it.
    """

    layer: str


StandIn = QuantizedKernel | FoldedAway | Fused | HeldInInference


@dataclass(frozen=True)
class PlannedCall:
    """A call of a layer or operation.

    Attributes:
        op: the layer or operation.
        reads: the float tensors that it reads, in their order.
        makes: the names of the tensors that it gives.
        stand_in: what is called in its place; None for itself.
    """

    op: Any
    reads: tuple[Read, ...]
    makes: tuple[str, ...]
    stand_in: StandIn | None = None


@dataclass(frozen=True)
class InsertionPlan:
    """All that a scheme does to a network.

    Attributes:
        calls: those of the network, in the order in which they are made.
        last: what the network gives.
        output: the name of the tensor whose values that passes on.
        ranges: those gathered in every step, by row; they depend on the network alone.
        collector: name of the layer that puts them together.
        insertions: the fake-quantization ops in the order of the graph.
        kernels: by layer with kernels to quantize, the placement that asks and the quantizer.
        folds: the normalizations that are folded into kernels, by the name of the kernel's layer.
        shared_ranges: the tensors that share a range with each tensor that shares one, itself
            among them.
    """

    calls: tuple[PlannedCall, ...]
    last: Read
    output: str
    ranges: tuple[Range, ...]
    collector: str
    insertions: tuple[Insertion, ...]
    kernels: Mapping[str, tuple[str, KernelQuantizer]]
    folds: Mapping[str, Any]
    shared_ranges: Mapping[str, tuple[str, ...]]

    @property
    def tensors(self) -> tuple[str, ...]:
        """The names of the tensors whose range is gathered, by row."""
        return tuple(one.tensor for one in self.ranges)

    def kernel_rule(self, layer: str) -> tuple[str, KernelQuantizer] | None:
        """The placement that wants the kernels of a layer quantized, and the quantizer."""
        return self.kernels.get(layer)

    @property
    def reads(self) -> tuple[Read, ...]:
        """Whatever is read, in order; what the network gives comes last."""
        return (*(read for call in self.calls for read in call.reads), self.last)

    @property
    def quantized_tensors(self) -> tuple[QuantizedTensor, ...]:
        """Every quantized tensor once, in the order of the first that reads it so."""
        found = [read.quantized for read in self.reads if read.quantized is not None]
        return tuple(dict.fromkeys(found))
