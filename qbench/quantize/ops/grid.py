"""The grid of an op: the integer codes of its values."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class OpGrid:
    """The values that the codes of a range stand for: scale * (code - zero_point).

    Attributes:
        scale: the distance between two neighbouring values, in the unit of the values. It is 0 if
            the range gives no scale: the range holds only 0, or no value with the sign of a code.
        zero_point: the code of 0.
        lowest: the smallest code.
        count: the number of codes.
        clamps: whether values beyond the codes are clamped. If not, the op rounds them to values
            scale * (code - zero_point) with codes beyond the lowest or the largest code.
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
