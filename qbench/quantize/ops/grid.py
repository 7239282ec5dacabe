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
