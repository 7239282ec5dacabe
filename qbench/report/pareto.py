"""The figure of a metric against the size of the weights, with the rows that no other beats."""

from __future__ import annotations

from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from qbench.report import values
from qbench.report.drawing import Drawing, fitted, legend, logarithmic
from qbench.report.weight_codes import FRONT, SIZE
from qbench.tasks.metric import Metric

NAME = "pareto"
_BLUE, _GREY = "#0072B2", "#888888"
_WIDTH, _HEIGHT = 8.4, 5.0  # inches
# Where the number of a row stands beside its dot: numbers of neighbours on different sides.
_BESIDE: tuple[dict[str, Any], ...] = tuple(
    {"xytext": offset, "textcoords": "offset points", "fontsize": "x-small"}
    for offset in ((5, 4), (-9, -9))
)


def pareto_figure(frame: pd.DataFrame, metric: Metric, remarks: list[str]) -> list[Drawing]:
    """The metric against the size; a line joins the rows of the front.

    Args:
        frame: the result of `qbench.report.weight_codes.codes_frame`.
        metric: the first metric of the sweep.
        remarks: the notes on the data.
    """
    return [Drawing(_title(metric), NAME, lambda: _draw(frame, metric), remarks)]


def _title(metric: Metric) -> str:
    return f"{values.capital(metric.label)} against the size of the network"


def _draw(frame: pd.DataFrame, metric: Metric) -> Figure:
    figure = Figure(figsize=(_WIDTH, _HEIGHT), layout="constrained")
    axes = figure.subplots()
    front = frame[frame[FRONT]].sort_values(SIZE)
    axes.plot(front[SIZE], front[metric.name], color=_BLUE, linewidth=1, zorder=1)
    spread = f"{metric.name}_std"
    if spread in frame:
        low, high = (frame[metric.name] + sign * frame[spread] for sign in (-1, 1))
        axes.vlines(frame[SIZE], low, high, color=_GREY, linewidth=0.8, zorder=2)
    entries = []
    for number, line in enumerate(frame.to_dict("records"), 1):
        place, colour = (line[SIZE], line[metric.name]), _BLUE if line[FRONT] else _GREY
        dot = axes.scatter(*place, s=26, color=colour, zorder=3)
        axes.annotate(str(number), place, **_BESIDE[number % 2])
        entries.append((f"{number}  {line['configuration']}", dot))
    outside = {"loc": "outside right center", "frameon": False, "fontsize": "x-small"}
    legend(figure, entries, **outside)
    axes.set_xscale("log")
    logarithmic(axes.xaxis, frame[SIZE])
    axes.set_xlabel("size in MB (logarithmic); the line joins the rows that no other row beats")
    axes.set_ylabel(fitted(values.axis(metric), _HEIGHT))
    axes.grid(alpha=0.25, linewidth=0.5)
    axes.spines[["top", "right"]].set_visible(False)
    figure.suptitle(fitted(_title(metric), _WIDTH, points=12))
    return figure
