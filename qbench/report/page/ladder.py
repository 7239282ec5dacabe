"""From the float network to its simulation and to its file on each kernel path."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from statistics import fmean

from markupsafe import Markup

from qbench.deploy.lite import KERNELS
from qbench.report.collect import Sweep
from qbench.report.deployed import PATH
from qbench.report.page import svg
from qbench.report.page.files import FLOAT, SIMULATED, Files, files
from qbench.report.page.strips import axis, backdrop, strip
from qbench.report.values import axis as axis_label
from qbench.report.values import mean
from qbench.tasks.metric import Metric

_MARKS = {FLOAT: "circle", SIMULATED: "circle", **dict(zip(KERNELS, svg.MARKS[1:], strict=False))}
_HEIGHT = 34
_ACROSS = {FLOAT: 9, SIMULATED: 9, **{path: 19 + 4 * k for k, path in enumerate(KERNELS)}}


@dataclass(frozen=True)
class Ladder:
    """The section: a line for each row with files.

    Attributes:
        steps: the names of the columns with values: float, simulated, each kernel path.
        marks: the mark of each of them, as (name, shape, class).
        rows: (label, strip, texts of the values).
        axis: the axis below the strips.
        along: the label of the axis.
        seeds: a sentence about the seeds; empty if there is only one.
    """

    steps: list[str]
    marks: list[tuple[str, str, str]]
    rows: list[tuple[str, Markup, list[str]]]
    axis: Markup
    along: str
    seeds: str


def ladder(sweep: Sweep) -> Ladder | None:
    """The section; None if no file was measured."""
    found = files(sweep)
    if not found:
        return None
    paths = [path for path in KERNELS if any(path in one.each for one in found)]
    metric, steps = sweep.metric, [FLOAT, SIMULATED, *paths]
    values = [value for one in found for of_step in one.each.values() for value in of_step]
    scale = svg.around(values, least=10**-metric.digits * 20)
    rows = [
        (one.label, _strip(one, steps, scale, metric), _texts(one, steps, metric)) for one in found
    ]
    several = len(sweep.manifest["seeds"]) > 1
    return Ladder(
        steps,
        [(name, _MARKS[name], _kind(name)) for name in steps],
        rows,
        axis(scale),
        axis_label(metric),
        "Values are means ± standard deviations over the seeds that have a file; a small dot is one"
        " seed."
        if several
        else "",
    )


def _texts(one: Files, steps: list[str], metric: Metric) -> list[str]:
    return [mean(metric, one.each.get(name, ())) for name in steps]


def _kind(name: str) -> str:
    return f"mark {'path' if name in KERNELS else name}"


def _strip(one: Files, steps: list[str], scale: svg.Scale, metric: Metric) -> Markup:
    values = {name: fmean(one.each[name]) for name in steps if name in one.each}
    steps_taken = [name for name in (FLOAT, SIMULATED, PATH) if name in values]
    parts = [
        svg.line(
            "link",
            (scale.at(values[first]), scale.at(values[second])),
            (_ACROSS[first], _ACROSS[second]),
        )
        for first, second in pairwise(steps_taken)
    ]
    for name in values:
        for value in one.each[name] if len(one.each[name]) > 1 else ():
            parts.append(svg.dot(scale.at(value), _ACROSS[name], "seed"))
    for name, value in values.items():
        title = f"{name}: {mean(metric, one.each[name])} {metric.unit}"
        parts.append(
            svg.mark(_MARKS[name], scale.at(value), _ACROSS[name], _kind(name), title.rstrip())
        )
    return strip(_HEIGHT, backdrop(scale, _HEIGHT), *parts)
