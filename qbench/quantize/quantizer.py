"""One fake-quantization op with all its settings, ready to be applied to tensors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from qbench.quantize.ops import OPS

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

    def __call__(self, x: Any, low: Any, high: Any, **options: Any) -> Any:
        """Quantize and dequantize x (any shape, float32); low and high are scalars.

        With source OWN both are ignored. Options are `narrow`, `per_channel` (see
        `qbench.quantize.ops`) and the op's `name`.
        """
        return self._apply(x, low, high, self.source != OWN, **options)

    @property
    def takes_own_range(self) -> bool:
        """Whether `given` x's own range the op computes, bit for bit, what it computes alone."""
        return OPS[self.op].takes_own_range(self.bits, self.signed)

    def given(self, x: Any, low: Any, high: Any, **options: Any) -> Any:
        """As a call, but with these ends whatever the source."""
        return self._apply(x, low, high, True, **options)

    def _apply(self, x: Any, low: Any, high: Any, range_given: bool, **options: Any) -> Any:
        return OPS[self.op].apply(
            x,
            low,
            high,
            bits=self.bits,
            signed=self.signed,
            rounding=self.rounding,
            range_given=range_given,
            **options,
        )
