"""Fixed-point arithmetic for int32 accumulators.

The source is Jacob et al. 2018, sections 2.2 and 2.4 and appendix B.

A real multiplier M is stored as an int32 `value` and an int32 `shift`, so that

    M = value * 2**(shift - 31)    with value in 2**30 .. 2**31 - 1    (eq. 6)

The shift can be negative. A multiplication by M rounds twice. The two roundings treat ties
differently, as in gemmlowp:

| function               | computes         | a tie goes         | -1.5 | -0.5 | 0.5 | 1.5 |
|------------------------|------------------|--------------------|------|------|-----|-----|
| doubling_high_multiply | a * b / 2**31    | up, to +infinity   |   -1 |    0 |   1 |   2 |
| rounding_shift         | x / 2**exponent  | away from zero     |   -2 |   -1 |   1 |   2 |

float64 is used only to convert a multiplier, once, when a file is read. All other functions of this
module take and return integers.
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
# A float64 mantissa is split into its low 26 bits and its high 27 bits. The product of a part and a
# 32-bit number fits into an int64.
_LOW_BITS = 26


@dataclass(frozen=True)
class Multiplier:
    """Real multipliers M = value * 2**(shift - 31).

    Attributes:
        value: int32, one value or one value per channel.
        shift: int32 of the same shape, -31 .. 30; a positive shift is applied before any rounding.
    """

    value: Int32
    shift: Int32

    @classmethod
    def of(cls, reals: Sequence[float]) -> Multiplier:
        """The nearest multipliers, as in TensorFlow Lite's QuantizeMultiplier.

        Args:
            reals: one real multiplier or one per channel; a real below 2**-32 becomes 0.

        Raises:
            QbenchError: a real is 2**30 or more; the runtime does not define this case.
        """
        pairs = [_fixed_point(real) for real in reals]
        value, shift = np.array(pairs, np.int32).reshape(-1, 2).T
        return cls(value, shift)

    def times(self, x: Int32) -> Int32:
        """X * M with two roundings (TensorFlow Lite's MultiplyByQuantizedMultiplier).

        The steps are:

        1. Shift x to the left by a positive shift. The result wraps around at 32 bits.
        2. Apply `doubling_high_multiply`. A tie goes up.
        3. Apply `rounding_shift` with a negative shift. A tie goes away from zero.

        Args:
            x: int32, channels last.

        Returns:
            int32 of the shape of x.
        """
        shifted = (x.astype(np.int64) << np.maximum(self.shift, 0)).astype(np.int32)
        return rounding_shift(
            doubling_high_multiply(shifted, self.value), np.maximum(-self.shift, 0)
        )


def _fixed_point(real: float) -> tuple[int, int]:
    """The value and the shift of one real multiplier."""
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

    The result for a = b = -2**31 does not fit into int32; it saturates at 2**31 - 1.
    """
    product = a.astype(np.int64) * b
    nearest: Int64 = np.minimum((product + 2**30) >> 31, _LARGEST)
    return nearest.astype(np.int32)


def rounding_shift(x: Int32, exponent: Int32) -> Int32:
    """The nearest integers to x / 2**exponent; a tie goes away from zero (RoundingDivideByPOT).

    Args:
        x: int32.
        exponent: int32 from 0 to 31, one value or one value per channel.
    """
    half = (np.int64(1) << exponent.astype(np.int64)) >> 1
    lower = (x < 0) & (exponent > 0)
    nearest: Int64 = (x + half - lower) >> exponent
    return nearest.astype(np.int32)


@dataclass(frozen=True)
class RealMultiplier:
    """Float64 multipliers M = mantissa * 2**exponent for a multiplication in integers.

    LiteRT's reference kernel of FULLY_CONNECTED does not use eq. 6. It multiplies the accumulator
    by the float64 multiplier, which rounds the product to 53 bits. Then it rounds the product to an
    integer with C's round(), where a tie goes away from zero. This class computes the same result.

    Attributes:
        mantissa: int64, 2**52 .. 2**53 - 1, one value or one value per channel.
        exponent: int64 of the same shape.
    """

    mantissa: Int64
    exponent: Int64

    @classmethod
    def of(cls, reals: Sequence[float]) -> RealMultiplier:
        """The multipliers without rounding.

        Args:
            reals: positive normal float64 numbers, one or one per channel.
        """
        parts = [math.frexp(real) for real in reals]
        mantissa = np.array([int(math.ldexp(fraction, 53)) for fraction, _ in parts], np.int64)
        return cls(mantissa, np.array([shift - 53 for _, shift in parts], np.int64))

    def times(self, x: Int32) -> Int32:
        """X * M with two roundings: to 53 bits, then to an integer.

        In the second rounding, a tie goes away from zero. In the first rounding, a tie goes to the
        larger magnitude here, but to the even neighbour in float64. Both rules give the same
        integer. The result of the second rounding changes only at half-integers. The 53-bit
        mantissa of a half-integer ends in many zero bits, so it is even. Both rules round a tie
        directly below a half-integer to that half-integer.

        Args:
            x: int32, channels last.

        Returns:
            int32 of the shape of x, limited to a magnitude of 2**30, which is far above all codes.
            The runtime does not define results that do not fit into int32.
        """
        size = np.abs(x.astype(np.int64))
        bits = np.searchsorted(_POWERS, size, side="right")
        normal = size << (32 - bits)  # 32 bits long; 0 stays 0
        low = normal * (self.mantissa & (2**_LOW_BITS - 1)) >> _LOW_BITS
        high = (
            normal * (self.mantissa >> _LOW_BITS) + low
        )  # the highest 58 or 59 bits of the product, which has 84 or 85 bits
        dropped = 5 + (high >= 2**58)
        kept = _shifted(high, dropped)
        shift = np.clip(-(self.exponent + bits - 32 + _LOW_BITS + dropped), 0, 60)
        return (np.sign(x) * np.minimum(_shifted(kept, shift), 2**30)).astype(np.int32)


def _shifted(x: Int64, exponent: Int64) -> Int64:
    """The nearest integers to x / 2**exponent for x >= 0; a tie goes up."""
    return (x + ((np.int64(1) << exponent) >> 1)) >> exponent


def divide(total: Int32, count: Int32) -> Int32:
    """The nearest integers to total / count; a tie goes away from zero, as in AVERAGE_POOL_2D.

    Args:
        total: int32.
        count: int32 above 0.
    """
    nearest = (np.abs(total) + count // 2) // count
    signed: Int32 = np.sign(total) * nearest
    return signed


@dataclass(frozen=True)
class Clamp:
    """The range of an operator's output codes: all of int8, or less with a fused activation.

    Attributes:
        low: the lowest code.
        high: the highest code.
    """

    low: int = -128
    high: int = 127

    def __call__(self, x: Int32) -> Int8:
        """The saturating cast: x limited to low .. high, as int8."""
        return np.clip(x, self.low, self.high).astype(np.int8)
