"""The matrix of differences to the float network: bits of weights by bits of activations.

The form of tables 4.7 and 4.8 of Jacob et al. 2018: a line for each width of the weights, a column
for each width of the activations.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd

from qbench.report import values
from qbench.report.collect import Sweep
from qbench.report.differences import DERIVED, differences
from qbench.report.texts import Lines
from qbench.tasks.metric import Metric

WEIGHTS, ACTIVATIONS = "quant.weight_bits", "quant.activation_bits"


@dataclass(frozen=True)
class BitsGrid:
    """One matrix.

    Attributes:
        name: the levels of the other factors of the design; empty if nothing else varies.
        metric: the metric of the differences, the sweep's first.
        of_float: the metric of the float network, the mean over the seeds; NaN if it has no value.
        values: the differences, by bits of weights (index) and of activations (columns), as texts
            in the order of the design; NaN if a run has no value.
        intervals: their intervals in the same form, as texts; empty if there is none.
    """

    name: str
    metric: Metric
    of_float: float
    values: pd.DataFrame
    intervals: pd.DataFrame


def title(metric: Metric) -> str:
    """The heading of the matrices."""
    return f"Difference to float {metric.label} by bits of weights and activations"


def explained(metric: Metric) -> str:
    """A sentence about the values in the matrices."""
    unit = values.unit_of_differences(metric)
    what = values.capital(unit) if metric.unit == "%" else f"Quantized less float in {unit}"
    return (
        f"{what}{values.direction(metric)}, the mean over the seeds; one line for"
        " each width of the weights, one column for each width of the activations."
    )


def bits_grids(sweep: Sweep) -> list[BitsGrid]:
    """The matrices of a sweep; none if its rows do not combine both widths.

    There is one for each combination of the levels of all other factors.
    """
    levels = sweep.manifest["design"]["levels"]
    if WEIGHTS not in levels or ACTIVATIONS not in levels:
        return []
    frame = differences(sweep)
    varied = [key for key in levels if frame[key].nunique() > 1]
    others = [key for key in varied if key not in (WEIGHTS, ACTIVATIONS)]
    names = pd.Series([_name(line, others) for _, line in frame.iterrows()], index=frame.index)
    found: list[BitsGrid] = []
    for name, part in frame.groupby(names, sort=False):
        matrix, intervals = (_matrix(part, what) for what in ("difference", "interval"))
        if matrix is None or intervals is None:
            return []
        of_float = float(part[f"float_{sweep.metric.name}"].mean())
        found.append(BitsGrid(str(name), sweep.metric, of_float, matrix, intervals))
    return found


def _name(line: pd.Series[Any], others: list[str]) -> str:
    """The name of a line's matrix; derived rows have matrices of their own."""
    parts = [line.get(DERIVED), " ".join(f"{key}={line[key]}" for key in others)]
    return ", ".join(part for part in parts if part)


def _matrix(frame: pd.DataFrame, what: str) -> pd.DataFrame | None:
    """A column of the lines of one network as a matrix; None if a combination has no line."""
    rows, columns = (list(dict.fromkeys(frame[key])) for key in (WEIGHTS, ACTIVATIONS))
    cells = {(line[WEIGHTS], line[ACTIVATIONS]): line[what] for _, line in frame.iterrows()}
    if len(cells) < len(rows) * len(columns):
        return None
    found = [[cells[row, column] for column in columns] for row in rows]
    return pd.DataFrame(found, index=rows, columns=columns)


def csv_frame(grids: list[BitsGrid]) -> pd.DataFrame:
    """All matrices below each other; `configuration` names them if there are several."""
    parts = []
    for grid in grids:
        part = grid.values.rename_axis("weight_bits").reset_index()
        if len(grids) > 1:
            part.insert(0, "configuration", grid.name)
        parts.append(part)
    return pd.concat(parts)


def heading(grid: BitsGrid) -> str:
    """The heading of a matrix: its configuration, and the value of the float network."""
    metric = grid.metric
    of_float = f"float {metric.label} {values.number(metric, grid.of_float)} {metric.unit}".rstrip()
    return f"{grid.name}, {of_float}" if grid.name else of_float


def as_lines(grid: BitsGrid) -> Lines:
    """The matrix as texts, with intervals if there are several seeds."""
    head = ["weights \\ activations", *(str(column) for column in grid.values.columns)]
    return [
        head,
        *(
            [str(row), *(_cell(grid.metric, *both) for both in zip(line, intervals, strict=True))]
            for (row, line), (_, intervals) in zip(
                grid.values.iterrows(), grid.intervals.iterrows(), strict=True
            )
        ),
    ]


def _cell(metric: Metric, value: float, interval: str) -> str:
    return f"{values.difference(metric, value)} {interval}".rstrip()
