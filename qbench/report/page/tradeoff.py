"""The metric of files against their size, or their milliseconds, with the Pareto front."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import compress

from markupsafe import Markup

from qbench.report import timings
from qbench.report.collect import Sweep
from qbench.report.deployed import PATH
from qbench.report.front import on_front
from qbench.report.page import svg
from qbench.report.page.files import files
from qbench.report.page.plot import Frame, Plot
from qbench.report.texts import counted, short
from qbench.report.values import axis_of_files, capital
from qbench.tasks.metric import Metric

_HEIGHT = 320
_LETTERS = 34  # most letters of a name in the drawing
_LINE = 15  # pixels between two names
_LEFT = 0.2  # share of the width that has no room for a name on its left


@dataclass(frozen=True)
class Dot:
    """The file of one row.

    Attributes:
        label: the label of the row.
        cost: megabytes or milliseconds; lower is better.
        value: the metric of the file.
        simulated: the metric in simulation, which a line joins to the file; None if unknown.
        seeds: the metric of the files of several seeds.
    """

    label: str
    cost: float
    value: float
    simulated: float | None = None
    seeds: tuple[float, ...] = ()


@dataclass(frozen=True)
class TradeOff:
    """The section.

    Attributes:
        plots: the drawing against size, then one for each kernel path that was timed.
        fronts: for each drawing a sentence that names the rows on its front.
        notes: sentences about rows that are not shown.
        several: whether there are dots of single seeds.
    """

    plots: list[Plot]
    fronts: list[str]
    notes: list[str]
    several: bool


def trade_off(sweep: Sweep) -> TradeOff | None:
    """The section; None if no file was measured."""
    found, metric = files(sweep), sweep.metric
    if not found:
        return None
    dots = [
        Dot(one.label, one.megabytes, one.deployed, one.simulated, one.each[PATH]) for one in found
    ]
    drawn = [(f"{capital(metric.label)} by size of the file", "size of the file, MB", dots)]
    simulated = {one.label: one.simulated for one in found}
    points, left_out = timings.points(sweep)
    for path in dict.fromkeys(point.kernels for point in points):
        mine = [point for point in points if point.kernels == path]
        several = len({point.kind for point in mine}) > 1
        own = [
            Dot(
                f"{point.label} ({point.kind})" if several else point.label,
                point.milliseconds,
                point.value,
                simulated.get(point.label) if path == PATH else None,
            )
            for point in mine
        ]
        batch = f", {mine[0].batch} images at once" if mine[0].batch > 1 else ""
        along = f"milliseconds{batch}; {path}, {counted(mine[0].threads, 'thread')}"
        drawn.append((f"{capital(metric.label)} by latency", along, own))
    plots = [_plot(title, along, dots, metric) for title, along, dots in drawn]
    several = any(len(dot.seeds) > 1 for _, _, dots in drawn for dot in dots)
    return TradeOff(plots, [_said(dots, metric) for _, _, dots in drawn], left_out, several)


def front(dots: Sequence[Dot], metric: Metric) -> list[Dot]:
    """The dots that no other one beats: none is as good in both and better in one.

    In ascending order of cost. Of equal dots, all are on the front.
    """
    sign = 1 if metric.higher_is_better else -1
    kept = on_front([dot.cost for dot in dots], [sign * dot.value for dot in dots])
    return sorted(compress(dots, kept), key=lambda dot: dot.cost)


def _said(dots: Sequence[Dot], metric: Metric) -> str:
    names = [short(dot.label) for dot in front(dots, metric)]
    return (
        f"On the front, where no other file is measured better without a higher cost:"
        f" {', '.join(names)} (of {counted(len(dots), 'row')}). Differences within the intervals"
        " above may be chance."
    )


def _plot(title: str, along: str, dots: list[Dot], metric: Metric) -> Plot:
    values = [dot.value for dot in dots]
    values += [dot.simulated for dot in dots if dot.simulated is not None]
    values += [value for dot in dots for value in dot.seeds]
    across = svg.around(values, least=10**-metric.digits * 50, share=0.1)
    frame = Frame(_costs([dot.cost for dot in dots]), across, _HEIGHT)
    best = front(dots, metric)
    parts = [_steps(frame, best), *(_seeds(frame, dot) for dot in dots)]
    parts += [_joined(frame, dot, metric) for dot in dots]
    parts += [_file(frame, dot, dot in best, along, metric) for dot in dots]
    parts += _names(frame, best, metric)
    return Plot(title, frame.draw(title, *parts), along, axis_of_files(metric))


def _costs(costs: list[float]) -> svg.Scale:
    """From 0, unless all costs are close; then with room for a name on the left."""
    low, high = min(costs), max(costs)
    if low > high / 2:
        length = max(high - low, high / 10)
        return svg.Scale(low - 0.45 * length, low + 1.1 * length)
    return svg.Scale(0.0, high * 1.08 or 1.0)


def _steps(frame: Frame, best: list[Dot]) -> Markup:
    """The front as a staircase: what one gets for at most this cost."""
    places = [frame.point(dot.cost, dot.value) for dot in best]
    parts = []
    for (x, y), (after, level) in zip(places, [*places[1:], (1.0, places[-1][1])], strict=True):
        parts.append(svg.line("front", (x, after), (y, y)))
        parts.append(svg.line("front", (after, after), (y, level)))
    return Markup("").join(parts)


def _seeds(frame: Frame, dot: Dot) -> Markup:
    """The files of single seeds."""
    if len(dot.seeds) < 2:
        return Markup("")
    places = (frame.point(dot.cost, value) for value in dot.seeds)
    return Markup("").join(svg.dot(x, y, "seed", 2) for x, y in places)


def _joined(frame: Frame, dot: Dot, metric: Metric) -> Markup:
    """The simulation, and the line to its file."""
    if dot.simulated is None:
        return Markup("")
    x, y = frame.point(dot.cost, dot.value)
    _, before = frame.point(dot.cost, dot.simulated)
    title = f"{short(dot.label)}, simulated: {metric.show(dot.simulated)} {metric.unit}".rstrip()
    return svg.line("link", (x, x), (before, y)) + svg.mark(
        "circle", x, before, "mark simulated", title
    )


def _file(frame: Frame, dot: Dot, best: bool, along: str, metric: Metric) -> Markup:
    x, y = frame.point(dot.cost, dot.value)
    unit = along.partition(";")[0].rpartition(", ")[2].split()[0]
    title = f"{short(dot.label)}, file: {metric.show(dot.value)} {metric.unit}".rstrip()
    title += f", {dot.cost:.3g} {unit}"
    return svg.mark("diamond", x, y, "mark path best" if best else "mark path", title)


def _names(frame: Frame, best: list[Dot], metric: Metric) -> list[Markup]:
    """The names of the front, on the side of its dots where no file is; equal dots share one."""
    by_place: dict[tuple[float, float], list[str]] = {}
    for dot in best:
        by_place.setdefault((dot.cost, dot.value), []).append(dot.label)
    parts, taken = [], -float(_LINE)
    placed = sorted((frame.point(*place)[1], place, names) for place, names in by_place.items())
    for y, place, names in placed:
        x = frame.point(*place)[0]
        more = f" and {len(names) - 1} more" if len(names) > 1 else ""
        y = taken = max(y + (-6 if metric.higher_is_better else 14), taken + _LINE)
        anchor, shift = ("end", -8) if x > _LEFT else ("start", 8)
        words = short(names[0], _LETTERS) + more
        parts.append(svg.text(words, svg.percent(x), y, anchor, "name", shift))
    return parts
