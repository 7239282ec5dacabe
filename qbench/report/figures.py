"""The paper's loss figures: training loss against step."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.figure import Figure
from numpy.typing import NDArray

from qbench.base.setting import Setting
from qbench.planning.factors import FACTORS
from qbench.report.collect import Sweep
from qbench.report.curves import FLOAT, drawn, name, shown, smooth, title
from qbench.report.curves import start as start_of
from qbench.report.drawing import Drawing, legend

# The colour-blind safe palette of Okabe and Ito; black is kept for the float baseline.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#882255")
NAMES = [factor.figure[0] for factor in FACTORS if factor.figure]
STEP = "step (lines are moving means over 4 % of the steps)"


def loss_figures(sweep: Sweep) -> list[Drawing]:
    """One figure for each factor that varies and that has a figure in the paper."""
    return [
        Drawing(title(factor), name(factor), partial(_figure, sweep, factor), sweep.remarks)
        for factor in drawn(sweep)
    ]


def _figure(sweep: Sweep, factor: Setting) -> Figure:
    return _draw(list(_curves(sweep, factor)), title(factor), sweep.task.loss_name)


Curve = tuple[str, pd.DataFrame]


def _curves(sweep: Sweep, factor: Setting) -> Iterable[Curve]:
    """The baseline, the default and every row that differs only in this factor."""
    for label, runs in shown(sweep, factor):
        yield label, _mean([sweep.history(run) for run in runs])


def _mean(histories: list[pd.DataFrame]) -> pd.DataFrame:
    """The mean loss of several seeds, step by step."""
    mean = histories[0].copy()
    mean["loss"] = np.mean([history["loss"].to_numpy() for history in histories], axis=0)
    return mean


def _draw(curves: list[Curve], title: str, loss_name: str) -> Figure:
    """The losses; below, from the first quantized step on, the differences to the baseline."""
    figure = Figure(figsize=(7.2, 5.8), layout="constrained")
    axes, below = figure.subplots(2, height_ratios=(5, 3))
    colours = iter(COLOURS * 3)
    baseline = next((history for label, history in curves if label == FLOAT), None)
    entries: list[tuple[str, Artist]] = []
    # From thick to thin, so that all curves stay visible where they are equal.
    widths = np.linspace(4.5, 1.2, len(curves))
    for (label, history), width in zip(curves, widths, strict=True):
        colour = "black" if label == FLOAT else next(colours)
        steps, loss = history["step"].to_numpy(), history["loss"].to_numpy(float)
        axes.plot(steps, loss, color=colour, alpha=0.12, linewidth=0.7)
        smoothed = smooth(loss)
        entries.append((label, axes.plot(steps, smoothed, color=colour, linewidth=width)[0]))
        start = start_of(history)
        if start is not None:
            axes.plot(steps[start], smoothed[start], "o", color=colour, markersize=7, zorder=5)
        apart = _apart(history, baseline)
        if apart is not None and start is not None:
            below.plot(steps[start:], apart[start:], color=colour, linewidth=1.4)
    (start_of_all,) = axes.plot([], [], "o", color="grey", markersize=7)
    entries.append(("quantization starts", start_of_all))
    positive = all((history["loss"] > 0).all() for _, history in curves)
    axes.set(title=title, ylabel=loss_name, yscale="log" if positive else "linear")
    legend(axes, entries, frameon=False, fontsize="small")
    below.axhline(0, color="black", linewidth=1.2, zorder=1)
    below.set(xlabel=STEP, ylabel="less the baseline's")
    below.ticklabel_format(axis="y", scilimits=(-2, 3))
    if not below.lines[1:]:
        below.remove()
        axes.set_xlabel(STEP)
    for each in figure.axes:
        each.grid(alpha=0.25, linewidth=0.5)
        each.spines[["top", "right"]].set_visible(False)
    return figure


def _apart(history: pd.DataFrame, baseline: pd.DataFrame | None) -> NDArray[np.float64] | None:
    """The smoothed loss minus the baseline's; None if their steps differ."""
    if baseline is None or not history["step"].equals(baseline["step"]):
        return None
    return smooth(history["loss"].to_numpy(float) - baseline["loss"].to_numpy(float))
