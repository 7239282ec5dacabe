"""Checks whether a converted file's answers are plausible for its kind (docs/deployment.md).

Distances are in 255ths of the range of the output's grid: one step of an 8-bit grid, 257 steps of a
16-bit grid. The output of a float file has no grid; its range is the range of the simulation's
outputs.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from qbench.deploy.file_kind import FileKind
from qbench.tasks.task import Task

# Allowed distances: for float arithmetic in another order; for an operator that rounds to the other
# side of a tie; for grids that the converter chose.
_FLOAT, _TIES, _CALIBRATED = 1.0, 3.0, 64.0
# An output's grid may be at most this many times as wide as the largest output.
_WIDEST = 100.0
# The smallest allowed share of images that keep a clear prediction, and the smallest number of such
# images that is checked.
_AGREEING, _ENOUGH = 0.9, 20

Values = NDArray[np.float32]


def of_export() -> float:
    """The largest allowed distance between graph and simulation, both without activation grids."""
    return _FLOAT


def of_conversion(kind: FileKind, bits: int, operators: int) -> float:
    """The largest allowed distance of a file from its converted graph.

    Args:
        kind: the kind of the file.
        bits: the number of bits of the tensors that the simulation quantized.
        operators: the number of operators in the file.

    A value near a tie may be rounded to the other side. This changes it by 2^(8 - bits) steps of an
    8-bit grid. The sum of such changes grows with the square root of the number of operators;
    docs/deployment.md has the measurements.
    """
    if kind.name == "float":
        return _FLOAT
    if kind.export == "post-training":
        return _CALIBRATED
    step = 2 ** max(8 - bits, 0)
    return float(_TIES * step * np.sqrt(max(operators, 1)))


def of_simulation(kind: FileKind, near: float) -> float | None:
    """The largest allowed distance of a file from the simulation; None if it depends on the run.

    An exact file may be as far from the simulation as from its graph, `near`. An approximate file
    quantizes more tensors or clamps fewer values than the simulation. Its graph does so too, so
    only the distance from the graph has a limit.
    """
    return near if kind.export == "exact" else None


def unit(scale: float, dtype: Any, expected: Values, largest: float = 0.0) -> float:
    """One 255th of the output's range.

    Args:
        scale: the scale of the output's grid; 0 for float32.
        dtype: the dtype of the output.
        expected: outputs (N, ...) of the simulation.
        largest: the largest magnitude of any of the network's tensors. float32 keeps about seven
            digits of it, so an output that is a small difference of large values is less precise.
    """
    if scale:
        return _width(scale, dtype) / 255
    magnitude = max(float(np.abs(expected).max()), largest / 10)
    return max(float(np.ptp(expected)) / 255, 1e-4 * magnitude, 1e-30)


def _width(scale: float, dtype: Any) -> float:
    return float(scale * (256 ** np.dtype(dtype).itemsize - 1))


def too_wide(scale: float, dtype: Any, expected: Values, task: Task) -> str | None:
    """The fault if the output's grid is far too wide for the outputs, else None.

    The steps of such a grid are useless here: every answer would be less than one step away.
    """
    most = float(np.abs(expected).max())
    if not scale or most == 0 or _width(scale, dtype) <= _WIDEST * most:
        return None
    return (
        f"has an output grid {_width(scale, dtype):.3g} wide for {task.output_name} of {most:.3g}"
        " at most"
    )


def fault(
    task: Task, got: Values, expected: Values, unit: float, most: float, what: str
) -> str | None:
    """The reason why outputs cannot be a file's answer to these images; None if they can.

    Args:
        task: the task of the data set.
        got: outputs (N, ...) of the file.
        expected: the outputs that they are compared with.
        unit: the unit of distances, as `unit` returns it.
        most: the largest allowed distance.
        what: a name for the expected outputs.
    """
    if not np.all(np.isfinite(got)):
        return f"gives {task.output_name} that are not finite"
    apart = np.abs(got - expected).reshape(len(got), -1).max(axis=1) / unit
    if np.median(apart) > most:
        return (
            f"gives half of the images {task.output_name} that are {np.median(apart):.1f} steps or"
            f" more from those of {what}; its kind explains {most:.0f}"
        )
    margins = task.margins(expected)
    if margins is None:
        return None
    agreeing = task.agree(got, expected)[margins / unit > most]
    if len(agreeing) >= _ENOUGH and agreeing.mean() < _AGREEING:
        return (
            f"gives another {task.prediction_name} than {what} to"
            f" {100 * (1 - agreeing.mean()):.0f} % of the {len(agreeing)} images"
            f" {task.decided.format(f'{most:.0f}')}"
        )
    return None
