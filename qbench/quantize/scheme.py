"""The quantization scheme: the part of a configuration that the analysis needs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from qbench.base.patterns import EVERY
from qbench.quantize.interface import KernelQuantizing, TensorQuantizing
from qbench.quantize.kernels import KernelQuantizer
from qbench.quantize.ops import OPS
from qbench.quantize.quantizer import CURRENT, MOVING, OWN, Quantizer
from qbench.quantize.settings import FLOAT_BITS, QuantSettings

if TYPE_CHECKING:
    from qbench.quantize.entry import PixelQuantizer

EDGE_BITS = 8


@dataclass(frozen=True)
class QuantizationScheme:
    """Where to quantize, with which quantizer for kernels, and with which for other tensors.

    Attributes:
        placement: names in `qbench.quantize.placement.PLACEMENTS`.
        kernel: quantizer of convolution and dense kernels.
        activation: quantizer of every other tensor; None leaves them float.
        edge_kernel: quantizer of the first and the last kernel; None leaves them float.
        edge: quantizer of the image and of the network's output; None leaves them float.
        image: quantizer of the image in place of `edge`, if the network reads raw pixels; training
            then rounds the image to whole pixels.
        fold: fold batch normalization into the kernels before they are quantized.
        freeze: normalize with the moving statistics, and do not update them.
        constant_statistics: no gradient passes through the batch statistics of folded layers.
        layers: patterns of the layers whose kernels are quantized; the others stay float.
        share_ranges: tensors that are added or concatenated share one range.
    """

    placement: tuple[str, ...]
    kernel: KernelQuantizing
    activation: TensorQuantizing | None
    edge_kernel: KernelQuantizing | None
    edge: TensorQuantizing | None
    fold: bool = False
    freeze: bool = False
    share_ranges: bool = False
    image: PixelQuantizer | None = None
    constant_statistics: bool = False
    layers: tuple[str, ...] = EVERY

    @property
    def weight_bits(self) -> int:
        """Bits of all kernels except the first and the last."""
        return self.kernel.bits

    @property
    def activation_bits(self) -> int:
        """Bits of all other tensors except image and output; 32 if these tensors stay float."""
        return self.activation.bits if self.activation else FLOAT_BITS

    @property
    def quantizers(self) -> tuple[KernelQuantizing | TensorQuantizing, ...]:
        """All different quantizers of kernels and other tensors."""
        every = (self.kernel, self.edge_kernel, self.activation, self.edge, self.image)
        return tuple(dict.fromkeys(one for one in every if one))

    def with_fixed_ranges(self) -> QuantizationScheme:
        """The same scheme, with moving averages in place of ranges that ops measure."""
        edge = self.edge and self.edge.with_fixed_range()
        activation = self.activation and self.activation.with_fixed_range()
        return replace(self, activation=activation, edge=edge)

    def without_activations(self) -> QuantizationScheme:
        """The same scheme, for kernels only."""
        return replace(self, activation=None, edge=None, image=None)


def scheme_of(quant: QuantSettings) -> QuantizationScheme | None:
    """The uniform quantization that `quant` describes; None if it is not enabled."""
    if not quant.enabled:
        return None
    if OPS[quant.op].measures_ranges(quant):
        kernel_source = activation_source = OWN
    else:
        kernel_source, activation_source = CURRENT, MOVING

    def quantizer(bits: int, source: str) -> Quantizer:
        return Quantizer(quant.op, bits, quant.signed, quant.rounding, source)

    def kernel_quantizer(bits: int) -> KernelQuantizer:
        return KernelQuantizer(
            quantizer(bits, kernel_source),
            symmetric=quant.weight_range == "symmetric_narrow",
            narrow=quant.weight_range == "narrow",
            per_channel=quant.granularity == "channel",
        )

    kernel = kernel_quantizer(quant.bits_of_weights)
    activation: Quantizer | None = quantizer(quant.bits_of_activations, activation_source)
    edges: dict[str, tuple[KernelQuantizer | None, Quantizer | None]] = {
        "same": (kernel, activation),
        "8": (kernel_quantizer(EDGE_BITS), quantizer(EDGE_BITS, activation_source)),
        "float": (None, None),
    }
    edge_kernel, edge = edges[quant.first_last]
    if quant.float_activations:
        activation, edge = None, None
    return QuantizationScheme(
        quant.placement,
        kernel,
        activation,
        edge_kernel,
        edge,
        fold=quant.fold_batch_norm,
        freeze=quant.freeze_batch_norm,
        share_ranges=quant.tie_inputs,
    )
