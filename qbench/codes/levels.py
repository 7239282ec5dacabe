"""The codes of quality-scalable quantization (Khaliq and Hafiz, section III.B)."""

from __future__ import annotations

from typing import Any

from qbench.base import checks

PHIS = (1, 2, 4)
"""The largest codes that there are."""


def check_phi(phi: Any, key: str = "phi") -> None:
    """Check that there are codes up to phi.

    Raises:
        QbenchError: phi is not 1, 2 or 4.
    """
    if phi not in PHIS or isinstance(phi, bool):
        raise checks.wrong(key, phi, "1, 2 or 4")


def positive_codes(phi: int) -> tuple[int, ...]:
    """The positive codes in order: 1 to phi, in powers of two (equation 6)."""
    check_phi(phi)
    return tuple(code for code in PHIS if code <= phi)


def bits_of(phi: int) -> int:
    """Number of bits of a code, by equation 8 with both brackets read as rounding down.

    Rounding up would give 4 bits to the seven codes of phi = 4. Rounded down, the equation gives
    the fewest bits that hold all codes.
    """
    check_phi(phi)
    powers = 2 * len(positive_codes(phi))  # 2 (1 + log2 phi)
    return powers.bit_length()  # floor(log2(powers)) + 1
