"""The integer grids of an exported file, from the trained ranges.

A tensor of the file has real values scale * (code - zero point) with codes -128 .. 127. The grid of
the op is moved onto these codes. If the op's codes begin below 0 and fit, they do not change. Other
codes are shifted, so that they begin at -128. An op with fewer codes keeps its scale and uses fewer
codes of the file.
"""

from __future__ import annotations

from dataclasses import dataclass

from qbench.quantize.interface import TensorQuantizing
from qbench.quantize.ops import OpGrid

FILE_BITS = 8
LOWEST, HIGHEST = -128, 127
# The scale of a tensor that is always 0. The bias behind it is stored in multiples of this scale
# times that of the kernel. A large scale would round the bias away, and XNNPACK refuses products
# that are much coarser than the output. With a small one, int32 would not hold the bias: with this
# one it holds 4,128 times the largest weight of the channel.
EMPTY = 2.0**-12


@dataclass(frozen=True)
class Grid:
    """scale * (code - zero_point) for codes from -128 to 127."""

    scale: float
    zero_point: int

    @property
    def ends(self) -> tuple[float, float]:
        """The smallest and the largest value of the grid."""
        return self.scale * (LOWEST - self.zero_point), self.scale * (HIGHEST - self.zero_point)


def tensor_grid(
    low: float, high: float, quantizer: TensorQuantizing | None, most_bits: int = FILE_BITS
) -> Grid:
    """The grid of a tensor with this range: the op's grid, or else an affine grid over the range.

    Args:
        low: the smaller end of the tensor's range.
        high: the larger end of the tensor's range.
        quantizer: the quantizer of the tensor in the run; None if the tensor is float.
        most_bits: the largest number of bits of a stored code, 8 or more. Codes of n bits begin at
            -2^(n-1).

    Raises:
        QbenchError: the op has no grid.
    """
    grid = None if quantizer is None else own_grid(low, high, quantizer, most_bits)
    return grid or affine_grid(low, high, _stored_bits(quantizer, most_bits))


def own_grid(
    low: float, high: float, quantizer: TensorQuantizing, most_bits: int = FILE_BITS
) -> Grid | None:
    """The op's own grid on the stored codes; None if these codes cannot represent it.

    They cannot if the op has more codes, if it has no codes for this range, or if it lets values
    below its lowest code through. Arguments and errors are the same as in `tensor_grid`.
    """
    if _is_empty(low, high):
        return Grid(EMPTY, 0)
    grid = quantizer.with_bits(min(quantizer.bits, most_bits)).grid(low, high)
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


def _stored_bits(quantizer: TensorQuantizing | None, most_bits: int) -> int:
    """The number of bits of a stored code: the bits of the op, from 8 to `most_bits`."""
    bits = FILE_BITS if quantizer is None else quantizer.bits
    return max(min(bits, most_bits), FILE_BITS)


def _is_empty(low: float, high: float) -> bool:
    """Whether a range holds only 0."""
    return low >= 0 >= high


def _moved(grid: OpGrid, bits: int) -> Grid:
    """A grid with the same values whose codes have `bits` bits and begin at -2^(bits-1)."""
    first = -(2 ** (bits - 1))
    stay = first <= grid.lowest < 0 and grid.lowest + grid.count <= first + 2**bits
    return Grid(grid.scale, grid.zero_point + (0 if stay else first - grid.lowest))
