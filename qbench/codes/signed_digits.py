"""Canonical signed digits of fixed-point weights, and few of them (Khaliq and Hafiz, section V.B).

A number is a sum of powers of two with digits -1, 0 and 1, of which no two neighbours are both
non-zero. This form is unique and has the fewest non-zero digits of all (Reitwiesner 1960). A
multiplier by a constant adds one partial product for each non-zero digit.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qbench.base import checks
from qbench.codes.scalable import check_finite

Integers = NDArray[np.int64]

BITS = 16
"""Bits of a fixed-point weight, with its sign."""


@dataclass(frozen=True, eq=False)
class FixedPoint:
    """Weights as whole numbers of 2^-fraction.

    Attributes:
        integers: int64 in the shape of the weights.
        fraction: number of bits below the point; may be negative.
    """

    integers: Integers
    fraction: int

    @property
    def values(self) -> NDArray[np.float64]:
        """The weights, float64; exact."""
        return np.ldexp(self.integers.astype(np.float64), -self.fraction)


def fixed_point(weights: NDArray[Any], bits: int = BITS) -> FixedPoint:
    """Weights in fixed point, with the largest fraction for which all fit.

    They are rounded to the nearest number. All weights share the fraction.

    Args:
        weights: float of any shape.
        bits: bits of a number with its sign, 2 to 32.

    Raises:
        QbenchError: bits below 2 or above 32, or weights that are not finite.
    """
    checks.whole("bits", bits, 2, 32)
    check_finite(weights)
    exact = np.asarray(weights, np.float64)
    most = 2 ** (bits - 1) - 1
    largest = float(np.abs(exact).max(initial=0))
    fraction = bits - 1 - math.frexp(largest)[1] if largest else 0
    if np.rint(np.ldexp(largest, fraction)) > most:
        fraction -= 1
    return FixedPoint(np.rint(np.ldexp(exact, fraction)).astype(np.int64), fraction)


def digits(integers: NDArray[Any]) -> tuple[Integers, Integers]:
    """The canonical signed digits of whole numbers of up to 61 bits.

    Returns:
        The powers of two of the digits 1, and of the digits -1, as the bits of two int64 numbers
        of the shape of the input; their difference is the number.
    """
    x = np.asarray(integers, np.int64)
    size = np.abs(x)
    # Half and one and a half times a number differ in exactly the non-zero digits.
    half, more = size >> 1, size + (size >> 1)
    plus, minus = more & ~half, half & ~more
    return np.where(x < 0, minus, plus), np.where(x < 0, plus, minus)


def non_zero_digits(integers: NDArray[Any]) -> Integers:
    """How many canonical signed digits of each number are not 0; int64."""
    plus, minus = digits(integers)
    return _ones(plus | minus)


def non_zero_bits(integers: NDArray[Any]) -> Integers:
    """How many binary digits of the size of each number are not 0; int64."""
    return _ones(np.abs(np.asarray(integers, np.int64)))


def _ones(x: Integers) -> Integers:
    """The number of one bits of each number of at least 0; numpy 1 has no function for it."""
    number = x - ((x >> 1) & 0x5555555555555555)
    number = (number & 0x3333333333333333) + ((number >> 2) & 0x3333333333333333)
    number = (number + (number >> 4)) & 0x0F0F0F0F0F0F0F0F
    for shift in (8, 16, 32):
        number = number + (number >> shift)
    ones: Integers = number & 0x7F
    return ones


def truncated(integers: NDArray[Any], most: int) -> Integers:
    """The numbers of only the `most` highest non-zero canonical digits of each; int64.

    Raises:
        QbenchError: fewer than one digit.
    """
    checks.whole("digits", most, 1)
    plus, minus = digits(integers)
    left = plus | minus
    kept = np.zeros_like(left)
    for _ in range(min(most, 64)):
        top = _highest(left)
        kept |= top
        left ^= top
        if not left.any():
            break
    return (plus & kept) - (minus & kept)


def _highest(x: Integers) -> Integers:
    """The highest bit of each number of at least 0, alone."""
    filled = x.copy()
    for shift in (1, 2, 4, 8, 16, 32):
        filled |= filled >> shift
    return filled ^ (filled >> 1)


@dataclass(frozen=True, eq=False)
class DigitCounts:
    """Distributions of non-zero digits over weights, as in the paper's figure 11.

    Attributes:
        binary: how many weights have 0, 1, 2, ... non-zero bits, (bits,) int64.
        signed: the same for canonical signed digits, (bits,) int64.
    """

    binary: Integers
    signed: Integers

    def partial_products(self, most: int | None = None) -> int:
        """Partial products of one multiplication by each weight, with at most `most` digits."""
        number = np.arange(len(self.signed))
        return int((self.signed * (number if most is None else np.minimum(number, most))).sum())

    def saved(self, most: int) -> float:
        """The share of partial products that fewer digits save against all digits."""
        every = self.partial_products()
        return 1 - self.partial_products(most) / every if every else 0.0


def counted(weights: NDArray[Any], bits: int = BITS) -> DigitCounts:
    """The distributions of weights in fixed point; arguments as in `fixed_point`."""
    integers = fixed_point(weights, bits).integers.reshape(-1)
    return DigitCounts(
        np.bincount(non_zero_bits(integers), minlength=bits),
        np.bincount(non_zero_digits(integers), minlength=bits),
    )
