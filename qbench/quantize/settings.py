"""The configuration of simulated quantization."""

from __future__ import annotations

from dataclasses import dataclass

from qbench.base import checks
from qbench.quantize.ops import OPS, roundings
from qbench.quantize.placement import PLACEMENTS

WEIGHT_RANGES = ("op", "narrow", "symmetric_narrow")
GRANULARITIES = ("tensor", "channel")
FIRST_LAST = ("same", "8", "float")


@dataclass(frozen=True, kw_only=True)
class Quant:
    """`quant`: simulated quantization. Null bit widths mean `bits`."""

    enabled: bool = True
    op: str = "qdq_v2"
    rounding: str = "half_to_even"
    bits: int = 8
    weight_bits: int | None = None
    activation_bits: int | None = None
    signed: bool = True
    placement: tuple[str, ...] = ("conv", "activation")
    range_given: bool = False
    weight_range: str = "op"
    granularity: str = "tensor"
    first_last: str = "same"
    fold_batch_norm: bool = False
    freeze_batch_norm: bool = False
    tie_inputs: bool = False
    ema_decay: float = 0.999
    delay: float = 0.8

    def __post_init__(self) -> None:
        """Checks every value."""
        checks.boolean("quant.enabled", self.enabled)
        checks.one_of("quant.op", self.op, OPS.names())
        checks.one_of("quant.rounding", self.rounding, roundings())
        checks.whole("quant.bits", self.bits, 1, 62)
        checks.whole_or_null("quant.weight_bits", self.weight_bits, 1, 62)
        checks.whole_or_null("quant.activation_bits", self.activation_bits, 1, 62)
        checks.boolean("quant.signed", self.signed)
        checks.list_of("quant.placement", self.placement, PLACEMENTS.names())
        checks.boolean("quant.range_given", self.range_given)
        if isinstance(self.first_last, int):  # as YAML reads 8
            object.__setattr__(self, "first_last", str(self.first_last))
        checks.one_of("quant.weight_range", self.weight_range, WEIGHT_RANGES)
        checks.one_of("quant.granularity", self.granularity, GRANULARITIES)
        checks.one_of("quant.first_last", self.first_last, FIRST_LAST)
        checks.boolean("quant.fold_batch_norm", self.fold_batch_norm)
        checks.boolean("quant.freeze_batch_norm", self.freeze_batch_norm)
        checks.boolean("quant.tie_inputs", self.tie_inputs)
        checks.number("quant.ema_decay", self.ema_decay, 0, 1, open_end=True)
        checks.number("quant.delay", self.delay, 0, 1)
        checks.as_floats(self, "ema_decay", "delay")

    @property
    def bits_of_weights(self) -> int:
        """Bits of kernels."""
        return self.bits if self.weight_bits is None else self.weight_bits

    @property
    def bits_of_activations(self) -> int:
        """Bits of every other quantized tensor."""
        return self.bits if self.activation_bits is None else self.activation_bits
