"""The grid of an op: the integer codes of its values."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class OpGrid:
    """The values scale * (code - zero_point) of a range's codes.

    Attributes:
        scale: the distance of two neighbouring values, in their own unit; 0 if the range gives no
            scale, because it has only 0 or no value on the side of the codes.
        zero_point: the code of 0.
        lowest: the smallest code.
        count: the number of codes.
        clamps: whether values beyond the codes are clamped. If not, the op gives them the values
            scale * (code - zero_point) of codes outside its range.
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
