"""Latency against accuracy, as in figures 4.1 and 4.2 of Jacob et al. 2018."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from qbench.report.collect import Sweep
from qbench.report.drawing import save_figure
from qbench.report.figures import COLOURS
from qbench.report.texts import counted
from qbench.report.timings import Point, points

NAME = "latency_accuracy"
TITLE = "Accuracy by latency"
_KINDS = {"float": "black", "int8": COLOURS[0], "16x8": COLOURS[1]}
_MARKERS = "osD^v<>pPX*hd8H123+x"
_NAMED = 20  # so many rows have a legend each


def draw_latency(sweep: Sweep, folder: Path) -> dict[str, list[Path]]:
    """Write the figure as PNG and SVG if latencies were measured; otherwise remove an old one.

    Each kernel path has a panel. Rows that were timed otherwise than most, see `points`, are named
    below.

    Returns:
        The figure's files by its title; nothing where there are no latencies.
    """
    found, left_out = points(sweep)
    if not found:
        for kind in ("png", "svg"):
            (folder / f"{NAME}.{kind}").unlink(missing_ok=True)
        return {}
    return {TITLE: save_figure(_draw(found), folder / NAME, [*left_out, *sweep.remarks])}


def _draw(found: list[Point]) -> Figure:
    paths = list(dict.fromkeys(point.kernels for point in found))
    figure = Figure(figsize=(3.2 * len(paths) + 2.6, 4.4), layout="constrained")
    panels = figure.subplots(1, len(paths), sharey=True, squeeze=False)[0]
    labels = list(dict.fromkeys(point.label for point in found))
    markers = {label: _MARKERS[k % len(_MARKERS)] for k, label in enumerate(labels)}
    for path, axes in zip(paths, panels, strict=True):
        mine = [point for point in found if point.kernels == path]
        for point in mine:
            axes.plot(
                point.milliseconds,
                point.accuracy,
                markers[point.label],
                color=_KINDS.get(point.kind, COLOURS[2]),
                fillstyle="none",
                label=f"{point.label} ({point.kind})",
            )
        batch = f", {mine[0].batch} images at once" if mine[0].batch > 1 else ""
        axes.set_xlabel(f"milliseconds{batch}")
        axes.set_xlim(left=0)
        axes.set_title(f"{path}, {counted(mine[0].threads, 'thread')}", fontsize="medium")
        axes.grid(alpha=0.25, linewidth=0.5)
        axes.spines[["top", "right"]].set_visible(False)
    panels[0].set_ylabel("accuracy of the file, %")
    _legend(figure, panels)
    return figure


def _legend(figure: Figure, panels: Any) -> None:
    """Every row that some panel shows, or the kinds alone where there are too many."""
    entries: dict[str, Any] = {}
    for axes in panels:
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
            entries.setdefault(label, handle)
    if len(entries) > _NAMED:
        entries = {label.rpartition("(")[2].rstrip(")"): h for label, h in entries.items()}
    figure.legend(
        entries.values(),
        entries.keys(),
        loc="outside right upper",
        frameon=False,
        fontsize="x-small",
    )
