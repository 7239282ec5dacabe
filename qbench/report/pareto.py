"""Figures of a metric against size and energy of the weights, with the rows that none beats."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from qbench.report import values
from qbench.report.drawing import Drawing, fitted, legend, logarithmic
from qbench.report.weight_codes import ENERGY, ENERGY_FRONT, FRONT, SIZE
from qbench.tasks.metric import Metric

NAME = "pareto"
_BLUE, _GREY = "#0072B2", "#888888"
_WIDTH, _HEIGHT = 8.4, 5.0  # inches
_SHARE = 0.6  # of the width for the axes; the legend takes the rest
_MANY = 20
"""The most rows that a figure names; of more it names those that no other beats."""
# Where the number of a row stands beside its dot: numbers of neighbours on different sides.
_BESIDE: tuple[dict[str, Any], ...] = tuple(
    {"xytext": offset, "textcoords": "offset points", "fontsize": "x-small"}
    for offset in ((5, 4), (-9, -9))
)


@dataclass(frozen=True)
class _Cost:
    """What a figure shows the metric against.

    Attributes:
        column: the column of the costs.
        front: the column that says which rows no other beats.
        title: what it is.
        axis: the text of its axis.
        name: the name of the figure's files.
    """

    column: str
    front: str
    title: str
    axis: str
    name: str


_COSTS = (
    _Cost(SIZE, FRONT, "the size of the network", "size in MB", NAME),
    _Cost(
        ENERGY,
        ENERGY_FRONT,
        "the energy of reading weights",
        "energy of reading all kernels in uJ",
        f"{NAME}_energy",
    ),
)
NAMES = tuple(cost.name for cost in _COSTS)


def pareto_figures(frame: pd.DataFrame, metric: Metric, remarks: list[str]) -> list[Drawing]:
    """The metric against size and energy, as far as known; a line joins the rows of the front.

    Args:
        frame: the result of `qbench.report.weight_codes.codes_frame`.
        metric: the first metric of the sweep.
        remarks: the notes on the data.
    """
    return [
        Drawing(_title(metric, cost), cost.name, partial(_draw, frame, metric, cost), remarks)
        for cost in _COSTS
        if frame[cost.column].notna().any()
    ]


def _title(metric: Metric, cost: _Cost) -> str:
    return f"{values.capital(metric.label)} against {cost.title}"


def _draw(frame: pd.DataFrame, metric: Metric, cost: _Cost) -> Figure:
    frame = frame[frame[cost.column].notna()]
    figure = Figure(figsize=(_WIDTH, _HEIGHT), layout="constrained")
    axes = figure.subplots()
    front = frame[frame[cost.front]].sort_values(cost.column)
    axes.plot(front[cost.column], front[metric.name], color=_BLUE, linewidth=1, zorder=1)
    spread = f"{metric.name}_std"
    if spread in frame:
        low, high = (frame[metric.name] + sign * frame[spread] for sign in (-1, 1))
        axes.vlines(frame[cost.column], low, high, color=_GREY, linewidth=0.8, zorder=2)
    entries = []
    for number, line in enumerate(frame.to_dict("records"), 1):
        place, colour = (line[cost.column], line[metric.name]), _BLUE if line[cost.front] else _GREY
        dot = axes.scatter(*place, s=26, color=colour, zorder=3)
        if line[cost.front] or len(frame) <= _MANY:
            axes.annotate(str(number), place, **_BESIDE[number % 2])
            entries.append((f"{number}  {line['configuration']}", dot))
    outside = {"loc": "outside right center", "frameon": False, "fontsize": "x-small"}
    legend(figure, entries, **outside)
    axes.set_xscale("log")
    logarithmic(axes.xaxis, frame[cost.column])
    label = f"{cost.axis} (logarithmic); the line joins the rows that no other beats"
    axes.set_xlabel(fitted(label, _WIDTH * _SHARE))
    axes.set_ylabel(fitted(values.axis(metric), _HEIGHT))
    axes.grid(alpha=0.25, linewidth=0.5)
    axes.spines[["top", "right"]].set_visible(False)
    figure.suptitle(fitted(_title(metric, cost), _WIDTH, points=12))
    return figure
