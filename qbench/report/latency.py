"""Latency against accuracy, as in figures 4.1 and 4.2 of Jacob et al. 2018."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from matplotlib.figure import Figure

from qbench import records
from qbench.errors import QbenchError
from qbench.progress import say
from qbench.report.collect import Sweep
from qbench.report.drawing import save_figure
from qbench.report.figures import COLOURS

NAME = "latency_accuracy"
TITLE = "Accuracy by latency"
_KINDS = {"float": "black", "int8": COLOURS[0], "16x8": COLOURS[1]}
_MARKERS = "osD^v<>pPX*hd8H123+x"
_NAMED = 20  # so many rows have a legend each


@dataclass(frozen=True)
class Point:
    """A row's file on one kernel path with one number of threads; means over the seeds.

    Attributes:
        label: of the row.
        kind: `float`, `int8` or `16x8`.
        kernels: the kernel path.
        threads: number of threads.
        milliseconds: median of an invocation.
        accuracy: of the file on that path, in percent.
    """

    label: str
    kind: str
    kernels: str
    threads: int
    milliseconds: float
    accuracy: float


def draw_latency(sweep: Sweep, folder: Path) -> dict[str, list[Path]]:
    """Write the figure as PNG and SVG if latencies were measured; otherwise remove an old one.

    Each kernel path has a panel, with the smallest number of threads that was measured on it.

    Returns:
        The figure's files by its title; nothing where there are no latencies.
    """
    found = points(sweep)
    if not found:
        for kind in ("png", "svg"):
            (folder / f"{NAME}.{kind}").unlink(missing_ok=True)
        return {}
    return {TITLE: save_figure(_draw(found), folder / NAME, sweep.remarks)}


def points(sweep: Sweep) -> list[Point]:
    """What is drawn, in the order of the table; only runs that were converted and measured."""
    found = []
    for row in sweep.manifest["rows"]:
        runs = [sweep.folder / sweep.manifest["runs"] / run["id"] for run in row["runs"]]
        measured = [one for one in map(_measured, runs) if one]
        for key in dict.fromkeys(key for one in measured for key in one):
            pairs = [one[key] for one in measured if key in one]
            milliseconds, accuracies = zip(*pairs, strict=True)
            found.append(Point(row["label"], *key, fmean(milliseconds), fmean(accuracies)))
    fewest = {path: min(p.threads for p in found if p.kernels == path) for path in _paths(found)}
    return [point for point in found if point.threads == fewest[point.kernels]]


def _paths(found: Iterable[Point]) -> list[str]:
    return list(dict.fromkeys(point.kernels for point in found))


Figures = dict[tuple[str, str, int], tuple[float, float]]


def _measured(folder: Path) -> Figures | None:
    """(milliseconds, accuracy) of a run's file by kind, kernel path and threads, if there are."""
    converted = folder / records.deploy_name(None)
    if not (folder / records.LATENCY).is_file() or not converted.is_file():
        return None
    try:
        latency = records.read_json(folder / records.LATENCY, "latencies")
        deploy = records.read_json(converted, "what qbench convert measured")
        return _figures(latency, deploy)
    except (QbenchError, AttributeError, KeyError, TypeError) as error:
        reason = error if isinstance(error, QbenchError) else f"{folder / records.LATENCY}: damaged"
        say(f"{reason}; its latency is left out.")
        return None


def _figures(latency: dict[str, Any], deploy: dict[str, Any]) -> Figures | None:
    if latency["sha256"] != deploy["sha256"]:
        return None  # measured of a file that has been converted anew since
    kind = Path(latency["file"]).stem.removeprefix("model_")
    found = {}
    for row in latency["rows"]:
        accuracy = deploy["kernels"].get(row["kernels"], {}).get("accuracy")
        if "error" not in row and accuracy is not None:
            key = kind, row["kernels"], row["threads"]
            found[key] = row["milliseconds"][kind]["median"], accuracy
    return found


def _draw(found: list[Point]) -> Figure:
    paths = _paths(found)
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
        threads = mine[0].threads
        axes.set_xlabel("milliseconds")
        axes.set_xlim(left=0)
        axes.set_title(f"{path}, {threads} thread{'s' * (threads > 1)}", fontsize="medium")
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
