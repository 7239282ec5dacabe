"""Fixed-point arithmetic of int32 accumulators (Jacob et al. 2018, sections 2.2, 2.4, B).

A real multiplier M is stored as an int32 `value` and a `shift` of either sign, so that

    M = value * 2**(shift - 31)    with value in 2**30 .. 2**31 - 1    (eq. 6)

Multiplying by it rounds twice, and the two roundings treat ties differently, as in gemmlowp:

| function               | computes         | a tie goes         | -1.5 | -0.5 | 0.5 | 1.5 |
|------------------------|------------------|--------------------|------|------|-----|-----|
| doubling_high_multiply | a * b / 2**31    | up, to +infinity   |   -1 |    0 |   1 |   2 |
| rounding_shift         | x / 2**exponent  | away from zero     |   -2 |   -1 |   1 |   2 |

Only making a multiplier uses float64, once, when a file is read. Everything else here takes and
returns integers.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qbench.base.errors import QbenchError

Int8 = NDArray[np.int8]
Int32 = NDArray[np.int32]
Int64 = NDArray[np.int64]

_LARGEST = 2**31 - 1
_POWERS = np.left_shift(np.int64(1), np.arange(33))
# A double's mantissa is cut in two, so that each part times 32 bits fits into an int64.
_LOW_BITS = 26


@dataclass(frozen=True)
class Multiplier:
    """Real multipliers value * 2**(shift - 31).

    Attributes:
        value: int32, one or one a channel.
        shift: int32 of the same shape, -31 .. 30; positive ones multiply before the rounding.
    """

    value: Int32
    shift: Int32

    @classmethod
    def of(cls, reals: Sequence[float]) -> Multiplier:
        """The nearest multipliers (TensorFlow Lite's QuantizeMultiplier); below 2**-32 it is 0.

        Raises:
            QbenchError: one is 2**30 or more, for which the runtime is not defined.
        """
        pairs = [_fixed_point(real) for real in reals]
        value, shift = np.array(pairs, np.int32).reshape(-1, 2).T
        return cls(value, shift)

    def times(self, x: Int32) -> Int32:
        """X * M with two roundings, MultiplyByQuantizedMultiplier.

        A positive shift comes first and wraps around at 32 bits; the doubling high multiply sends
        its ties up, the negative shift that follows sends its own away from zero.

        Args:
            x: int32, channels last.
        """
        shifted = (x.astype(np.int64) << np.maximum(self.shift, 0)).astype(np.int32)
        return rounding_shift(
            doubling_high_multiply(shifted, self.value), np.maximum(-self.shift, 0)
        )


def _fixed_point(real: float) -> tuple[int, int]:
    fraction, shift = math.frexp(real)
    value = math.floor(fraction * 2**31 + 0.5)
    if value == 2**31:
        value, shift = value // 2, shift + 1
    if shift > 30:
        raise QbenchError(
            f"scales are too far apart: a multiplier of {real:g}, expected below 2**30."
        )
    return (0, 0) if shift < -31 else (value, shift)


def doubling_high_multiply(a: Int32, b: Int32) -> Int32:
    """The nearest integers to a * b / 2**31; a tie goes up (SaturatingRoundingDoublingHighMul).

    The one product that does not fit, of twice -2**31, saturates.
    """
    product = a.astype(np.int64) * b
    nearest: Int64 = np.minimum((product + 2**30) >> 31, _LARGEST)
    return nearest.astype(np.int32)


def rounding_shift(x: Int32, exponent: Int32) -> Int32:
    """The nearest integers to x / 2**exponent; a tie goes away from zero (RoundingDivideByPOT).

    Args:
        x: int32.
        exponent: int32 from 0 to 31, one or one a channel.
    """
    half = (np.int64(1) << exponent.astype(np.int64)) >> 1
    lower = (x < 0) & (exponent > 0)
    nearest: Int64 = (x + half - lower) >> exponent
    return nearest.astype(np.int32)


@dataclass(frozen=True)
class RealMultiplier:
    """Float64 multipliers mantissa * 2**exponent, multiplied by in integers.

    LiteRT's reference kernel of FULLY_CONNECTED does not use eq. 6: it multiplies the accumulator
    by the float64 multiplier, which rounds the product to 53 bits, and rounds that to an integer as
    C's round() does, ties away from zero.

    Attributes:
        mantissa: int64, 2**52 .. 2**53 - 1, one or one a channel.
        exponent: int64 of the same shape.
    """

    mantissa: Int64
    exponent: Int64

    @classmethod
    def of(cls, reals: Sequence[float]) -> RealMultiplier:
        """Exactly these multipliers; they are positive and normal."""
        parts = [math.frexp(real) for real in reals]
        mantissa = np.array([int(math.ldexp(fraction, 53)) for fraction, _ in parts], np.int64)
        return cls(mantissa, np.array([shift - 53 for _, shift in parts], np.int64))

    def times(self, x: Int32) -> Int32:
        """X * M, rounded to 53 bits; then to an integer, where ties go away from zero.

        Ties of the first rounding go up here, and to the even neighbour in float64. This makes no
        difference: the second rounding changes its result at numbers that end in many zero bits,
        and both rules round a tie below such a number to that number.

        Args:
            x: int32, channels last.

        Returns:
            At most 2**30 in magnitude, far above all codes. In the runtime, values that do not fit
            into an int32 are undefined.
        """
        size = np.abs(x.astype(np.int64))
        bits = np.searchsorted(_POWERS, size, side="right")
        normal = size << (32 - bits)  # 32 bits; 0 stays 0
        low = normal * (self.mantissa & (2**_LOW_BITS - 1)) >> _LOW_BITS
        high = (
            normal * (self.mantissa >> _LOW_BITS) + low
        )  # 58 or 59 bits of the product's 84 or 85
        dropped = 5 + (high >= 2**58)
        kept = _shifted(high, dropped)
        shift = np.clip(-(self.exponent + bits - 32 + _LOW_BITS + dropped), 0, 60)
        return (np.sign(x) * np.minimum(_shifted(kept, shift), 2**30)).astype(np.int32)


def _shifted(x: Int64, exponent: Int64) -> Int64:
    """The nearest integer to x / 2**exponent, for x of 0 or more; a tie goes up."""
    return (x + ((np.int64(1) << exponent) >> 1)) >> exponent


def divide(total: Int32, count: Int32) -> Int32:
    """Total / count for counts above 0; a tie goes away from zero, as in AVERAGE_POOL_2D."""
    nearest = (np.abs(total) + count // 2) // count
    signed: Int32 = np.sign(total) * nearest
    return signed


@dataclass(frozen=True)
class Clamp:
    """The codes that an operator may give: all of int8, or fewer with a fused activation."""

    low: int = -128
    high: int = 127

    def __call__(self, x: Int32) -> Int8:
        """The saturating cast to int8."""
        return np.clip(x, self.low, self.high).astype(np.int8)
