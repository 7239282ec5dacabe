"""Latency against the first metric, as in figures 4.1 and 4.2 of Jacob et al. 2018."""

from __future__ import annotations

from matplotlib.artist import Artist
from matplotlib.figure import Figure

from qbench.report.collect import Sweep
from qbench.report.drawing import Drawing, fitted, legend
from qbench.report.figures import COLOURS
from qbench.report.texts import counted
from qbench.report.timings import Point, points
from qbench.report.values import axis_of_files, capital
from qbench.tasks.metric import Metric

_KINDS = {"float": "black", "int8": COLOURS[0], "16x8": COLOURS[1]}
_MARKERS = "osD^v<>pPX*hd8H123+x"
_NAMED = 20  # with more entries than this, the legend names only the kinds


def name(metric: Metric) -> str:
    """The name of the figure's files, without a suffix."""
    return f"latency_{metric.name}"


def latency_figure(sweep: Sweep) -> list[Drawing]:
    """The figure; empty if no latencies were measured.

    Each kernel path has a panel. A marker is the mean of its seeds, which are dots. A note below
    names the rows that were timed differently from most rows, see `points`.
    """
    found, left_out = points(sweep)
    if not found:
        return []
    metric = sweep.metric
    title, said = f"{capital(metric.label)} by latency", [*left_out, *sweep.remarks]
    return [Drawing(title, name(metric), lambda: _draw(found, metric), said)]


def _draw(found: list[Point], metric: Metric) -> Figure:
    paths = list(dict.fromkeys(point.kernels for point in found))
    figure = Figure(figsize=(3.2 * len(paths) + 2.6, 4.4), layout="constrained")
    panels = figure.subplots(1, len(paths), sharey=True, squeeze=False)[0]
    labels = list(dict.fromkeys(point.label for point in found))
    markers = {label: _MARKERS[k % len(_MARKERS)] for k, label in enumerate(labels)}
    entries: dict[tuple[str, str], Artist] = {}
    for path, axes in zip(paths, panels, strict=True):
        mine = [point for point in found if point.kernels == path]
        for point in mine:
            (drawn,) = axes.plot(
                point.milliseconds,
                point.value,
                markers[point.label],
                color=_KINDS.get(point.kind, COLOURS[2]),
                fillstyle="none",
            )
            if point.seeds:
                axes.scatter(
                    *zip(*point.seeds, strict=True), s=5, color=drawn.get_color(), alpha=0.5
                )
            entries.setdefault((point.label, point.kind), drawn)
        batch = f", {mine[0].batch} images at once" if mine[0].batch > 1 else ""
        axes.set_xlabel(f"milliseconds{batch}")
        axes.set_xlim(left=0)
        axes.set_title(f"{path}, {counted(mine[0].threads, 'thread')}", fontsize="medium")
        axes.grid(alpha=0.25, linewidth=0.5)
        axes.spines[["top", "right"]].set_visible(False)
    panels[0].set_ylabel(fitted(axis_of_files(metric), 4))
    _legend(figure, entries)
    return figure


def _legend(figure: Figure, entries: dict[tuple[str, str], Artist]) -> None:
    """Add a legend of rows and kinds, or only of kinds if there are too many entries."""
    named = [(f"{label} ({kind})", drawn) for (label, kind), drawn in entries.items()]
    if len(entries) > _NAMED:
        named = list({kind: drawn for (_, kind), drawn in entries.items()}.items())
    legend(figure, named, loc="outside right upper", frameon=False, fontsize="x-small")
