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
