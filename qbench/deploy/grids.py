"""The integer grids of an exported file, from what a run trained.

A tensor of the file has real values scale * (code - zero point) with codes -128 .. 127. Each
simulated op is re-expressed on such a grid: qdq_v2 signed has zero point 0, unsigned -128, and
fake_quant its own. Coarser ops keep their scale and use fewer of the codes.
"""

from __future__ import annotations

from dataclasses import dataclass

from qbench.quantize.quantizer import Quantizer
from qbench.quantize.settings import Quant

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


def affine_grid(low: float, high: float, bits: int) -> Grid:
    """FakeQuantWithMinMaxVars' grid: the range is widened to hold 0, and 0 nudged onto it."""
    low, high = min(low, 0.0), max(high, 0.0)
    if low == high:
        return Grid(EMPTY, 0)
    levels = 2**bits - 1
    scale = (high - low) / levels
    zero = min(max(int(-low / scale + 0.5), 0), levels)
    return Grid(scale, LOWEST + zero)


def symmetric_scale(low: float, high: float, bits: int, signed: bool) -> float:
    """QuantizeAndDequantizeV2's step; 0 where no side of the range counts."""
    if not signed:
        return max(high, 0.0) / (2.0**bits - 1)
    half = 2.0 ** (bits - 1)
    return max(max(-low, 0.0) / half, max(high, 0.0) / (half - 1) if bits > 1 else 0.0)


def tensor_grid(low: float, high: float, quant: Quant | None) -> Grid:
    """The file's grid of a tensor with this range.

    Args:
        low: the smaller end of its range.
        high: the larger end.
        quant: how the run quantizes the tensor, None where it leaves it float. Unsigned qdq_v2 lets
            negative values through where it measures the range; such a tensor gets an 8-bit
            affine grid too. Given a range it cuts them off, and so does the file.
    """
    if quant is None:
        return affine_grid(low, high, 8)
    passes = quant.op == "qdq_v2" and not quant.signed and not quant.range_given
    if passes and low < 0:
        return affine_grid(low, high, 8)
    bits = min(quant.bits_of_activations, 8)
    if quant.op == "fake_quant":
        return affine_grid(low, high, bits)
    scale = symmetric_scale(low, high, bits, quant.signed)
    if scale == 0:
        return affine_grid(low, high, 8)
    return Grid(scale, 0 if quant.signed else LOWEST)


def kernel_scale(low: float, high: float, quantizer: Quantizer) -> float:
    """The step of the grid that the op chooses for a kernel with this range."""
    if quantizer.op == "fake_quant":
        return affine_grid(low, high, quantizer.bits).scale
    return symmetric_scale(low, high, quantizer.bits, quantizer.signed)
