"""Kernels whose weights are 0 or powers of two with a sign.

A code book of b bits holds 0 and +-2^n2 .. +-2^n1. The largest magnitude of a kernel, m, gives
n1 = floor(log2(4 m / 3)) and n2 = n1 + 1 - 2^(b-2) (Zhou et al. 2017, section 2.1).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from qbench.quantize.code_book import CodeBook, Floats
from qbench.quantize.interface import SHIFT, CodeBookQuantizing

FEWEST_BITS, MOST_BITS = 2, 9
LEAST = -126
"""The smallest exponent of a normal float32. A smaller power of two acts as zero."""
TOP, FROZEN = "top", "frozen"
"""The names of a kernel's variables: its exponent n1, and which of its weights are codes."""


def top_exponent(largest: float) -> int:
    """n1, the exponent of the largest code, for a kernel with this largest magnitude.

    A kernel of zeros has n1 = 0. The result is exact: m = f 2^e with 1/2 <= f < 1 gives e if
    f >= 3/4, else e - 1.
    """
    fraction, exponent = np.frexp(np.float64(largest))
    return int(exponent) - int(fraction < 0.75) if largest else 0


def bottom_exponent(top: int, bits: int) -> int:
    """n2, the exponent of the smallest code above 0."""
    return top + 1 - int(2 ** (bits - 2))


def levels(top: int, bits: int) -> Floats:
    """All values of a code book, ascending, (n,) float32; 2^(b-1) + 1 unless some act as zero."""
    first = max(bottom_exponent(top, bits), LEAST)
    above = np.ldexp(np.ones(max(top + 1 - first, 0)), np.arange(first, top + 1))
    return np.concatenate([-above[::-1], [0.0], above]).astype(np.float32)


def to_powers(x: Any, top: int, bits: int) -> Floats:
    """The nearest values of the code book, float32 in the shape of x.

    A value halfway between two codes gets the larger one. So 2^p takes 3 2^(p-2) <= |w| < 3
    2^(p-1), the smallest code takes 2^(n2-1) <= |w| < 3 2^(n2-1), smaller values give 0, and all
    larger ones give 2^n1 (Chen et al. 2021, eq. 2, without its slips).

    Args:
        x: the values; those that are not finite stay, so that nothing hides them.
        top: n1.
        bits: the number of bits, 2 to 9.
    """
    x = np.asarray(x, np.float64)
    bottom = bottom_exponent(top, bits)
    fraction, exponent = np.frexp(np.abs(x))
    power = np.clip(exponent - (fraction < 0.75), bottom, top)
    zero = (np.abs(x) < np.ldexp(1.0, bottom - 1)) | (power < LEAST)
    found = np.where(zero, 0.0, np.copysign(np.ldexp(1.0, power), x))
    return np.where(np.isfinite(x), found, x).astype(np.float32)


@dataclass(frozen=True)
class PowersQuantizer(CodeBookQuantizing):
    """Passes kernels on, because a step of the scheme has already set its weights to codes.

    Attributes:
        bits: number of bits of a code.
        top: n1 of the kernel, () whole number; None without a state.
    """

    bits: int
    top: Any = field(default=None, compare=False)
    op: str = "inq"
    source: str = "powers of two"
    symmetric: bool = False
    multiplies_by: str = SHIFT

    @property
    def bits_allowed(self) -> tuple[int, int]:
        """2 to 9."""
        return FEWEST_BITS, MOST_BITS

    def with_state(self, state: Mapping[str, Any]) -> PowersQuantizer:
        """The quantizer with the exponent of one kernel."""
        return replace(self, top=state[TOP]) if state else self

    def __call__(self, layer: Any, kernel: Any, value: Any, name: str | None = None) -> Any:
        """The value itself."""
        import tensorflow as tf

        return tf.identity(value, name=name)

    def book(self, layer: Any, kernel: Any, value: Any) -> CodeBook | None:
        """0 and the powers of two of the kernel."""
        if self.top is None:
            return None
        return CodeBook(levels(int(self.top), self.bits), np.ones(1, np.float32))
