"""What the runs of a row say together."""

from __future__ import annotations

from collections.abc import Mapping
from math import nan
from typing import Any

import pandas as pd

from qbench.statistics.paired import share_seeds

_BAD = ("failed", "diverged", "missing", "not_applicable")


def worst(statuses: list[str]) -> str:
    """The status of a row, from the statuses of its runs."""
    return next((status for status in _BAD if status in statuses), "ok")


def spread(row: Mapping[str, Any], values: pd.Series) -> float:
    """The sample standard deviation; NaN for ensembles that share seeds, which are dependent.

    Args:
        row: the row of the manifest.
        values: a value of each of its runs.
    """
    dependent = share_seeds(tuple(run.get("seeds", ())) for run in row["runs"])
    return nan if dependent else float(values.std())


def repeats_a_row(row: Mapping[str, Any]) -> bool:
    """Whether the runs of a row are those of another one, as ensembles of one run are.

    Such a row is not compared: it would widen the intervals of all others by saying things twice.

    Args:
        row: the row of the manifest.
    """
    return "derived" in row and all(len(run["seeds"]) == 1 for run in row["runs"])
