"""The loss curves that a figure of a factor shows, as data."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from qbench.base.setting import Setting
from qbench.planning.designs import BASELINE, DEFAULT
from qbench.planning.factors import FACTORS
from qbench.report.collect import Sweep

FLOAT = "float baseline"
_SMOOTHING = 0.04  # width of the moving mean as a share of all rows


def drawn(sweep: Sweep) -> list[Setting]:
    """The factors that vary and that have a figure in the paper, in the order of the figures."""
    ordered = sorted(FACTORS, key=lambda factor: factor.figure or ("",))
    return [
        factor
        for factor in ordered
        if factor.figure
        and any(list(row["changes"]) == [factor.key] for row in sweep.trained)
        and len(shown(sweep, factor)) > 1
    ]


def name(factor: Setting) -> str:
    """The name of the files of a factor's figure, without a suffix."""
    assert factor.figure
    return factor.figure[0]


def title(factor: Setting) -> str:
    """The title of a factor's figure."""
    assert factor.figure
    return f"Training loss by {factor.figure[1]}"


def shown(sweep: Sweep, factor: Setting) -> list[tuple[str, list[str]]]:
    """The name of each curve, and the runs that it averages."""
    found = []
    for row in sweep.trained:
        runs = [run["id"] for run in row["runs"] if _has_history(sweep, run["id"])]
        label = {BASELINE: FLOAT, DEFAULT: f"{_level(row, factor)} (default)"}.get(
            row["label"], _level(row, factor)
        )
        varies = list(row["changes"]) == [factor.key]
        if runs and (varies or row["label"] in (BASELINE, DEFAULT)):
            found.append((label, runs))
    return found


def _level(row: dict[str, Any], factor: Setting) -> str:
    """The row's level of the factor, as a text that is clear without the factor's name."""
    level = row["factors"][factor.column] or "-"
    if level in ("yes", "no"):
        return f"{factor.column.replace('_', ' ')}: {level}"
    return f"{level} %" if factor.column.endswith("_pct") else str(level)


def _has_history(sweep: Sweep, run: str) -> bool:
    return run in sweep.records and bool(sweep.records[run]["metrics"])


def smooth(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Moving mean; centred, with a window that shrinks at the start and is cut off at the end."""
    half = int(len(values) * _SMOOTHING / 2)
    sums = np.concatenate([[0.0], np.cumsum(values)])
    index = np.arange(len(values))
    first = index - np.minimum(half, index)
    last = np.minimum(index + (index - first), len(values) - 1)
    result: NDArray[np.float64] = (sums[last + 1] - sums[first]) / (last + 1 - first)
    return result


def start(history: pd.DataFrame) -> int | None:
    """The last float row of the history; quantization starts after it."""
    quantized = np.flatnonzero(history["phase"].to_numpy() != "float")
    return max(int(quantized[0]) - 1, 0) if len(quantized) else None
