"""Whether what an op computes is what its grid says, and what an int8 file computes."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from qbench.base.errors import QbenchError
from qbench.deploy.grids import FILE_BITS
from qbench.quantize.ops import OpGrid
from qbench.quantize.quantizer import Quantizer

# How far float32 may put a value from its code, in steps: 2^16 codes leave it eight bits.
_OFF = 0.25
# Beside a tie, in steps: float32 may fall to either side.
_TIE = 0.02
# Values that are tried, from below a range to above it; a prime number, so that they meet no
# pattern of codes.
_TRIED = 1021
# Ranges that float32 has no room for are not looked at.
_LEAST, _MOST = 1e-30, 1e30

Values = NDArray[np.float64]


def check_codes(op: str, codes: Values) -> Values:
    """The codes of values, whole numbers but for what float32 leaves out.

    Args:
        op: the name of what quantized the values.
        codes: the values in steps of their grid, counted from the code of 0.

    Raises:
        QbenchError: they are no codes, so that the op has another grid than it says.
    """
    whole: Values = np.rint(codes)
    counted = np.abs(codes) < 2**17  # of more, float32 has no fractions to compare
    off = np.abs(codes - whole)[counted]
    if off.size and not float(off.max()) <= _OFF:
        raise QbenchError(
            f"quant.op={op}: a value lies {off.max():.2g} steps from the next one of the grid that"
            " the op says it has; no file and no packed form can be made of such values."
        )
    return whole


def check_grid(quantizer: Quantizer, low: float, high: float) -> None:
    """See that an op gives the values of its grid and no others, once its range is fixed.

    Values that it lets through although it has no code for them are not looked at.

    Args:
        quantizer: of a tensor.
        low: the smaller end of the tensor's range.
        high: the larger end.

    Raises:
        QbenchError: it does not.
    """
    found = _tried(quantizer, low, high)
    if found is None:
        return
    grid, _, codes = found
    first, last = _ends(grid)
    within = (codes > first - 0.5) & (codes < last + 0.5)
    check_codes(quantizer.op, codes[within])
    if grid.clamps and not within.all():
        beyond = codes[~within][0] + grid.zero_point
        raise QbenchError(
            f"quant.op={quantizer.op}: gives a value of the code {beyond:.6g}, and says that its"
            f" codes end at {grid.lowest} and {grid.lowest + grid.count - 1}."
        )


def is_as_in_a_file(quantizer: Quantizer, low: float, high: float) -> bool:
    """Whether an op rounds and cuts, over a fixed range, as an int8 file does.

    A file gives every value the nearest of its 256, and the outermost ones to whatever lies beyond.
    Arguments as in `check_grid`.
    """
    found = _tried(quantizer, low, high)
    if found is None:
        return True
    grid, wanted, codes = found
    clear = np.abs(wanted - np.floor(wanted) - 0.5) > _TIE
    nearest = np.clip(np.rint(wanted), *_ends(grid))
    rounds = bool((np.abs(codes - nearest)[clear] <= _OFF).all())
    return rounds and grid.count == 2**FILE_BITS


def _tried(quantizer: Quantizer, low: float, high: float) -> tuple[OpGrid, Values, Values] | None:
    """The grid of a range, values in steps of it, and what the op makes of these.

    None where the op has no step for the range, or float32 no room.
    """
    import tensorflow as tf

    grid, width = quantizer.grid(low, high), high - low
    if not (grid.scale > _LEAST and width < _MOST):
        return None
    x = np.linspace(low - width / 4, high + width / 4, _TRIED).astype(np.float32)
    ends: Any = np.float32(low), np.float32(high)
    values = quantizer.with_fixed_range()(tf.constant(x), *ends)
    wanted = x.astype(np.float64) / grid.scale
    return grid, wanted, np.asarray(values, np.float64) / grid.scale


def _ends(grid: OpGrid) -> tuple[int, int]:
    """The smallest and the largest code, counted from that of 0."""
    first = grid.lowest - grid.zero_point
    return first, first + grid.count - 1
