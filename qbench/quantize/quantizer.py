"""One fake-quantization op with all its settings, ready to be applied to tensors."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from qbench.quantize.ops import OPS

OWN = "measured by the op"
CURRENT = "current minimum and maximum"
MOVING = "moving average"
FIXED = "moving average in the place of the range that the op measures"


@dataclass(frozen=True)
class Quantizer:
    """An op, its number of bits and settings, and where its range comes from.

    Attributes:
        op: name in `qbench.quantize.ops.OPS`.
        bits: number of bits of the codes.
        signed: whether qdq_v2's codes are signed; other ops ignore it.
        rounding: qdq_v2's tie rule; other ops ignore it.
        source: OWN, CURRENT, MOVING or FIXED.
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
        y = self._apply(x, low, high, self.source != OWN, **options)
        return self._with_negatives(x, y, low, high) if self._lets_negatives_through else y

    @property
    def _lets_negatives_through(self) -> bool:
        """Unsigned qdq_v2 does so where it measures the range, though it has no codes for them."""
        return self.source == FIXED and not self.signed

    def with_fixed_range(self) -> Quantizer:
        """The same, with a moving average in the place of a range that the op measures."""
        return replace(self, source=FIXED if self.source == OWN else MOVING)

    def _with_negatives(self, x: Any, y: Any, low: Any, high: Any) -> Any:
        """`y`, or where the range goes below 0 the same steps all over it; for inference alone."""
        import tensorflow as tf

        step = tf.maximum(high, 0.0) / (2.0**self.bits - 1)
        scaled = tf.math.divide_no_nan(tf.clip_by_value(x, low, high), step)
        rounded = tf.round(scaled) if self.rounding == "half_to_even" else tf.floor(scaled + 0.5)
        return tf.where(low < 0, tf.where(step > 0, rounded * step, x), y)

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
