"""One fake-quantization op with all its settings, ready to be applied to tensors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from qbench.quantize.ops import OPS

if TYPE_CHECKING:
    from qbench.experiment import Quant

OWN = "measured by the op"
CURRENT = "current minimum and maximum"
MOVING = "moving average"


@dataclass(frozen=True)
class Quantizer:
    """An op, its number of bits and settings, and where its range comes from.

    Attributes:
        op: name in `qbench.quantize.ops.OPS`.
        bits: number of bits of the codes.
        signed: whether qdq_v2's codes are signed; other ops ignore it.
        rounding: qdq_v2's tie rule; other ops ignore it.
        source: OWN, CURRENT or MOVING.
    """

    op: str
    bits: int
    signed: bool
    rounding: str
    source: str

    def __call__(self, x: Any, low: Any, high: Any, *, name: str | None = None) -> Any:
        """Quantize and dequantize x (any shape, float32); low and high are scalars.

        With source OWN both are ignored.
        """
        return self._apply(x, low, high, self.source != OWN, name)

    @property
    def takes_own_range(self) -> bool:
        """Whether `given` x's own range the op computes, bit for bit, what it computes alone."""
        return OPS[self.op].takes_own_range(self.bits, self.signed)

    def given(self, x: Any, low: Any, high: Any, *, name: str | None = None) -> Any:
        """As a call, but with these ends whatever the source."""
        return self._apply(x, low, high, True, name)

    def _apply(self, x: Any, low: Any, high: Any, range_given: bool, name: str | None) -> Any:
        return OPS[self.op].apply(
            x,
            low,
            high,
            bits=self.bits,
            signed=self.signed,
            rounding=self.rounding,
            range_given=range_given,
            name=name,
        )


@dataclass(frozen=True)
class QuantizationScheme:
    """What the rewriter needs to know: where to quantize, kernels with what, the rest with what.

    Attributes:
        placement: names in `qbench.quantize.placement.PLACEMENTS`.
        kernel: quantizer of convolution and dense kernels.
        activation: quantizer of every other tensor.
    """

    placement: tuple[str, ...]
    kernel: Quantizer
    activation: Quantizer


def scheme_of(quant: Quant) -> QuantizationScheme | None:
    """The scheme that a configuration's `quant` describes; None where it is not enabled."""
    if not quant.enabled:
        return None
    if OPS[quant.op].own_range and not quant.range_given:
        kernel_source = activation_source = OWN
    else:
        kernel_source, activation_source = CURRENT, MOVING

    def quantizer(bits: int, source: str) -> Quantizer:
        return Quantizer(quant.op, bits, quant.signed, quant.rounding, source)

    return QuantizationScheme(
        quant.placement,
        kernel=quantizer(quant.bits_of_weights, kernel_source),
        activation=quantizer(quant.bits_of_activations, activation_source),
    )
