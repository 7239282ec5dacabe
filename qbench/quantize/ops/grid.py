"""The grid of an op: which integers its values stand for."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class OpGrid:
    """The values scale * (code - zero_point) of a range's codes.

    Attributes:
        scale: the distance of two values, in the values' own unit; 0 where the range gives none,
            since it holds nothing but 0 or no value that the codes have.
        zero_point: the code of 0.
        lowest: the smallest code.
        count: the number of codes.
        clamps: whether values beyond the codes are cut off; otherwise the op gives them the values
            scale * (code - zero_point) of codes that it does not have.
    """

    scale: float
    zero_point: int
    lowest: int
    count: int
    clamps: bool = True

    @property
    def ends(self) -> tuple[float, float]:
        """The smallest and the largest value."""
        first = self.lowest - self.zero_point
        return self.scale * first, self.scale * (first + self.count - 1)


def affine_codes(low: float, high: float, bits: int, narrow: bool = False) -> OpGrid:
    """Codes 0 .. 2^bits - 1 over a range that is widened to hold 0, which is nudged onto a code.

    Args:
        low: the smaller end of the range.
        high: the larger end.
        bits: number of bits; 2 or more where `narrow`.
        narrow: leave out the code 0.
    """
    low, high = min(low, 0.0), max(high, 0.0)
    first, last = int(narrow), 2**bits - 1
    scale = (high - low) / (last - first)
    zero = first
    if scale > 0:
        zero = min(max(int(first - low / scale + 0.5), first), last)
    return OpGrid(scale, zero, first, last - first + 1)
