"""The integer grids of an exported file, from the trained ranges.

A tensor of the file has real values scale * (code - zero point) with codes -128 .. 127. The grid of
the op is moved onto these codes: an op's codes keep their values if they go below 0; other codes
begin at -128. Ops with fewer codes keep their scale and use fewer codes of the file.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from qbench.quantize.ops import OpGrid
from qbench.quantize.quantizer import Quantizer

FILE_BITS = 8
LOWEST, HIGHEST = -128, 127
# The scale of what is always 0. The bias behind it is stored in steps of it: large ones lose it.
EMPTY = 2.0**-8


@dataclass(frozen=True)
class Grid:
    """scale * (code - zero_point) for codes from -128 to 127."""

    scale: float
    zero_point: int

    @property
    def ends(self) -> tuple[float, float]:
        """The smallest and the largest value."""
        return self.scale * (LOWEST - self.zero_point), self.scale * (HIGHEST - self.zero_point)


def tensor_grid(
    low: float, high: float, quantizer: Quantizer | None, most_bits: int = FILE_BITS
) -> Grid:
    """The grid of a tensor with this range: the op's grid, or else an affine grid over the range.

    Args:
        low: the smaller end of its range.
        high: the larger end.
        quantizer: the quantizer of the tensor in the run; None if the tensor is float.
        most_bits: 8, or more if codes of more bits can be stored; n-bit codes then begin at
            -2^(n-1).

    Raises:
        QbenchError: the op has no grid.
    """
    grid = None if quantizer is None else own_grid(low, high, quantizer, most_bits)
    return grid or affine_grid(low, high, _stored_bits(quantizer, most_bits))


def own_grid(
    low: float, high: float, quantizer: Quantizer, most_bits: int = FILE_BITS
) -> Grid | None:
    """The op's own grid on the stored codes; None if these codes cannot represent it.

    They cannot if the op has more codes, if it has no codes for this range, or if it lets values
    below its lowest code through. Arguments and errors as in `tensor_grid`.
    """
    if _is_empty(low, high):
        return Grid(EMPTY, 0)
    grid = replace(quantizer, bits=min(quantizer.bits, most_bits)).grid(low, high)
    stored = _stored_bits(quantizer, most_bits)
    lets_through = not grid.clamps and low < grid.ends[0]
    if grid.scale <= 0 or grid.count > 2**stored or lets_through:
        return None
    return _moved(grid, stored)


def affine_grid(low: float, high: float, bits: int = FILE_BITS) -> Grid:
    """An affine grid with this number of bits; its range includes 0, and 0 is one of its values."""
    if _is_empty(low, high):
        return Grid(EMPTY, 0)
    low, high, last = min(low, 0.0), max(high, 0.0), 2**bits - 1
    scale = (high - low) / last
    zero_point = min(max(int(-low / scale + 0.5), 0), last)
    return _moved(OpGrid(scale, zero_point, 0, last + 1), max(bits, FILE_BITS))


def _stored_bits(quantizer: Quantizer | None, most_bits: int) -> int:
    """Bits of a stored code: 8, or the bits of the op if it has more and they can be stored."""
    bits = FILE_BITS if quantizer is None else quantizer.bits
    return max(min(bits, most_bits), FILE_BITS)


def _is_empty(low: float, high: float) -> bool:
    """Whether a range holds only 0."""
    return low >= 0 >= high


def _moved(grid: OpGrid, bits: int) -> Grid:
    """The same values on codes of this number of bits, which begin at -2^(bits-1)."""
    first = -(2 ** (bits - 1))
    stay = first <= grid.lowest < 0 and grid.lowest + grid.count <= first + 2**bits
    return Grid(grid.scale, grid.zero_point + (0 if stay else first - grid.lowest))
