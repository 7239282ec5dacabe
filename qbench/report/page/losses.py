"""Loss curves by factor, as figures 2 to 5 of the paper, with a band over the seeds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from qbench.base.setting import Setting
from qbench.report.collect import Sweep
from qbench.report.curves import FLOAT, drawn, shown, smooth, start, title
from qbench.report.page import svg
from qbench.report.page.plot import Frame, Plot

SERIES = 7
"""The number of colours of curves; further curves have them again, dashed."""

_POINTS = 120  # points of a drawn curve
_HEIGHT, _BELOW = 240, 130

Values = NDArray[np.float64]


@dataclass(frozen=True)
class Curve:
    """The smoothed losses of one row.

    Attributes:
        label: its name in the legend.
        kind: its class in the style sheet.
        steps: (S,) training steps.
        losses: (seeds, S) smoothed losses.
        seeds: the seed of each line of `losses`.
        begins: the index of the last float step; None if nothing is quantized.
    """

    label: str
    kind: str
    steps: Values
    losses: Values
    seeds: tuple[int, ...]
    begins: int | None


@dataclass(frozen=True)
class LossFigure:
    """A drawing of losses, and one of their differences to the float baseline's.

    Attributes:
        title: what it shows.
        legend: (name, class) of each curve.
        above: the losses.
        below: from the first quantized step on, the differences; None if there is no baseline.
    """

    title: str
    legend: list[tuple[str, str]]
    above: Plot
    below: Plot | None


@dataclass(frozen=True)
class Losses:
    """The section.

    Attributes:
        figures: a figure for each factor that has one in the paper.
        explained: what the lines and bands are.
    """

    figures: list[LossFigure]
    explained: str


def losses(sweep: Sweep) -> Losses | None:
    """The section; None if no factor of the paper's figures varies."""
    figures = [_figure(sweep, factor) for factor in drawn(sweep)]
    if not figures:
        return None
    several = len(sweep.manifest["seeds"]) > 1
    explained = "Lines are moving means over 4 % of the steps"
    explained += (
        ", and then means over the seeds; bands reach from the smallest to the largest seed."
        if several
        else " of one run each."
    )
    more = (
        " A dot marks where quantization starts. Below, from there on, are the differences to the"
        " float baseline" + (", seed by seed." if several else ".")
    )
    return Losses(figures, explained + more)


def _figure(sweep: Sweep, factor: Setting) -> LossFigure:
    curves = _curves(sweep, factor)
    name, loss = title(factor), sweep.task.loss_name
    legend = [(curve.label, curve.kind) for curve in curves]
    log = min(float(curve.losses.min()) for curve in curves) > 0
    above = Plot(name, _above(curves, name), "step", f"{loss}, logarithmic" if log else loss)
    less = "less the float baseline's"
    drawing = _below(curves, f"{name}, {less}")
    below = None if drawing is None else Plot(less, drawing, "step", less)
    return LossFigure(name, legend, above, below)


def _curves(sweep: Sweep, factor: Setting) -> list[Curve]:
    found: list[Curve] = []
    number = 0
    seed_of = {run["id"]: run["seed"] for row in sweep.trained for run in row["runs"]}
    for label, runs in shown(sweep, factor):
        histories = [sweep.history(run) for run in runs]
        kind = "float"
        if label != FLOAT:
            kind = f"s{number % SERIES}" + (" dashed" if number >= SERIES else "")
            number += 1
        steps = histories[0]["step"].to_numpy(np.float64)
        losses = np.stack([smooth(history["loss"].to_numpy(np.float64)) for history in histories])
        seeds = tuple(seed_of[run] for run in runs)
        found.append(Curve(label, kind, steps, losses, seeds, start(histories[0])))
    return found


def _above(curves: list[Curve], name: str) -> Markup:
    least = min(float(curve.losses.min()) for curve in curves)
    most = max(float(curve.losses.max()) for curve in curves)
    scale = svg.Scale(least / 1.1, most * 1.1, True) if least > 0 else svg.around([least, most], 1)
    last = max(float(curve.steps[-1]) for curve in curves)
    frame = Frame(svg.Scale(0.0, last), scale, _HEIGHT)
    parts = [_drawn(frame, curve, curve.steps, curve.losses) for curve in curves]
    return frame.draw(name, *parts, *(_begin(frame, curve) for curve in curves))


def _begin(frame: Frame, curve: Curve) -> Markup:
    if curve.begins is None:
        return Markup("")
    loss = float(curve.losses[:, curve.begins].mean())
    place = frame.point(float(curve.steps[curve.begins]), loss)
    return svg.mark("circle", *place, f"start {curve.kind}")


def _below(curves: list[Curve], name: str) -> Markup | None:
    """The differences, of the seeds that the baseline has too."""
    baseline = next((curve for curve in curves if curve.label == FLOAT), None)
    apart = [(curve, found) for curve in curves if (found := _apart(curve, baseline)) is not None]
    if not apart:
        return None
    values = [float(bound) for _, (_, found) in apart for bound in (found.min(), found.max())]
    last = max(float(curve.steps[-1]) for curve in curves)
    frame = Frame(svg.Scale(0.0, last), svg.around([0.0, *values], 1e-6), _BELOW)
    _, zero = frame.point(0.0, 0.0)
    parts = [_drawn(frame, curve, steps, found) for curve, (steps, found) in apart]
    return frame.draw(name, svg.line("zero", (0, 1), (zero, zero)), *parts)


def _apart(curve: Curve, baseline: Curve | None) -> tuple[Values, Values] | None:
    """The steps and differences (seeds, S) from the start of quantization; None if undefined."""
    if baseline is None or curve.begins is None or curve is baseline:
        return None
    both = [seed for seed in curve.seeds if seed in baseline.seeds]
    if not both or not np.array_equal(curve.steps, baseline.steps):
        return None
    mine = curve.losses[[curve.seeds.index(seed) for seed in both]]
    its = baseline.losses[[baseline.seeds.index(seed) for seed in both]]
    return curve.steps[curve.begins :], (mine - its)[:, curve.begins :]


def _drawn(frame: Frame, curve: Curve, steps: Values, values: Values) -> Markup:
    """The mean over the seeds, above their band."""
    kept = _kept(len(steps))
    parts = []
    if len(values) > 1:
        upper, lower = (
            _points(frame, steps, edge, kept) for edge in (values.max(0), values.min(0))
        )
        parts.append(svg.band(upper, lower, curve.kind))
    parts.append(svg.curve(_points(frame, steps, values.mean(0), kept), curve.kind))
    return svg.lines(frame.height, *parts)


def _points(frame: Frame, steps: Values, values: Values, kept: Sequence[int]) -> list[svg.Point]:
    return [frame.point(float(steps[k]), float(values[k])) for k in kept]


def _kept(length: int) -> list[int]:
    """The indices of the points to draw, the first and the last among them."""
    return sorted({round(k) for k in np.linspace(0, length - 1, min(length, _POINTS)).tolist()})
