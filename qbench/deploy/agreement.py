"""Checks whether an op gives the values of its declared grid, and rounds like an int8 file."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from qbench.base.errors import QbenchError
from qbench.deploy.grids import FILE_BITS
from qbench.quantize.interface import TensorQuantizing
from qbench.quantize.ops import OpGrid

# The largest allowed distance of a value from its code, in steps. With 2^16 codes, float32 has
# eight bits left for the fraction.
_OFF = 0.25
# If a value is closer to a tie than this, in steps, float32 may round it to either side.
_TIE = 0.02
# The number of values to try, from below the range to above it. It is a prime number, so that the
# values lie at many different positions between codes.
_TRIED = 1021
# The smallest scale and the widest range that are checked. Beyond them float32 is not precise.
_LEAST, _MOST = 1e-30, 1e30

Values = NDArray[np.float64]


def check_codes(op: str, codes: Values) -> Values:
    """Round values to their codes; only rounding errors of float32 are allowed between them.

    Args:
        op: the name of the op that quantized the values.
        codes: the values divided by the scale of the op's grid; the code of 0 is 0 here.

    Returns:
        The codes: whole numbers of the same shape.

    Raises:
        QbenchError: a value is not on the grid that the op declares.
    """
    whole: Values = np.rint(codes)
    counted = ~(np.abs(codes) >= 2**17)  # float32 is too coarse for larger codes; NaN counts
    off = np.abs(codes - whole)[counted]
    if off.size and not float(off.max()) <= _OFF:
        raise QbenchError(
            f"quant.op={op}: a value lies {off.max():.2g} steps from the next one of the grid that"
            " the op says it has; no file and no packed form can be made of such values."
        )
    return whole


def check_scale(what: str, scale: float, own: bool) -> None:
    """Check that a file and a packed form can hold a grid with this scale.

    A scheme may train scales, and a step may have moved one to 0 or below it.

    Args:
        what: the tensor or kernel, for the message.
        scale: the scale of its grid.
        own: whether the quantizer has its own range, which cannot be empty. The grid of a measured
            range has the scale 0 if the range holds only 0.

    Raises:
        QbenchError: the scale is not finite, negative, or 0 for an own range.
    """
    if not 0 <= scale < np.inf or (own and scale == 0):
        raise QbenchError(
            f"{what}: the step of its grid is {scale:.6g}; files and packed forms need finite"
            " steps above 0."
        )


def check_grid(quantizer: TensorQuantizing, low: float, high: float) -> None:
    """Check that an op gives only values of its declared grid when its range is fixed.

    If the op does not clamp, values outside its codes are not checked.

    Args:
        quantizer: the quantizer of one tensor.
        low: the smaller end of the tensor's range.
        high: the larger end of the tensor's range.

    Raises:
        QbenchError: the op gives a value that is not on its declared grid.
    """
    found = _tried(quantizer, low, high)
    if found is None:
        return
    grid, _, codes = found
    check_within(quantizer.op, grid, codes)


def check_within(op: str, grid: OpGrid, codes: Values) -> None:
    """Check that values lie on a grid and, if the op clamps, within its codes.

    Args:
        op: the name of the op that gave the values.
        grid: the grid that the op declares.
        codes: the values divided by the scale of the grid, (n,).

    Raises:
        QbenchError: a value is not on the grid.
    """
    first, last = _ends(grid)
    within = (codes > first - 0.5) & (codes < last + 0.5)
    check_codes(op, codes[within])
    if grid.clamps and not within.all():
        beyond = codes[~within][0] + grid.zero_point
        raise QbenchError(
            f"quant.op={op}: gives a value of the code {beyond:.6g}, and says that its"
            f" codes end at {grid.lowest} and {grid.lowest + grid.count - 1}."
        )


def is_as_in_a_file(quantizer: TensorQuantizing, low: float, high: float) -> bool:
    """Whether an op with a fixed range rounds and clamps like an int8 file.

    A file has 256 codes. It gives each value the nearest code, and each value outside the range the
    first or the last code. The arguments are the same as in `check_grid`.
    """
    found = _tried(quantizer, low, high)
    if found is None:
        return True
    grid, wanted, codes = found
    clear = np.abs(wanted - np.floor(wanted) - 0.5) > _TIE
    nearest = np.clip(np.rint(wanted), *_ends(grid))
    rounds = bool((np.abs(codes - nearest)[clear] <= _OFF).all())
    return rounds and grid.count == 2**FILE_BITS


def _tried(
    quantizer: TensorQuantizing, low: float, high: float
) -> tuple[OpGrid, Values, Values] | None:
    """Quantize test values from below a range to above it.

    Returns:
        The op's grid for the range; the test values and the op's results for them, both divided by
        the scale of the grid, (n,) float64. None if the scale is too small or the range too wide.
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
    """The smallest and the largest code, counted from the code of 0."""
    first = grid.lowest - grid.zero_point
    return first, first + grid.count - 1
