"""The columns about converted files, and the figure that compares files with the simulation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from qbench.deploy.lite import KERNELS
from qbench.report import values
from qbench.report.drawing import Drawing, fitted, legend, name_of
from qbench.storage.conversions import WITHOUT_FILE
from qbench.tasks.metric import Metric, leading
from qbench.tasks.recorded import Recorded

# The kernel path in the tables: XNNPACK, the runtime's own choice. runs.csv has every path.
PATH = "xnnpack"
PREFIX = "deployed_"  # of columns about values of the files
AGREEMENT = Metric("agreement", "agreement", "%", 2, higher_is_better=True)
TEXTS = ["export", "export_note"]
NAME = "deployed"
_BLUE, _ORANGE = "#0072B2", "#D55E00"
_WIDTH = 7.2  # width of the figure, in inches

_NOTE = (
    "Deployed figures are those of the converted file on the same test images as the simulation,"
    " on XNNPACK, the runtime's own choice of kernels. Agreement is the share of test images that"
    " get the {} which the simulation gives them on the same fixed ranges. Approximate files"
    " differ from the simulation as the note says; docs/deployment.md has the rule. Packed are"
    " codes in exactly their bits, scales, zero points and 32-bit biases; file is the .tflite with"
    " its graph."
)

Report = Mapping[str, Any]
Metrics = tuple[Metric, ...]


def measured_columns(metrics: Metrics) -> dict[str, Metric]:
    """The columns for measurements of files, by name: leading metrics and the agreement."""
    own = {f"{PREFIX}{metric.name}": metric for metric in leading(metrics)}
    return {**own, AGREEMENT.name: AGREEMENT}


def columns(metrics: Metrics) -> list[str]:
    """The columns for converted files in a table."""
    return [*_figures(metrics), *TEXTS]


def of_seeds(metrics: Metrics) -> list[str]:
    """The further columns of a table with several seeds."""
    return ["n_deployed", *(f"{name}_std" for name in measured_columns(metrics))]


def of_runs(metrics: Metrics) -> list[str]:
    """The columns for converted files in runs.csv, which has every kernel path."""
    paths = [f"{path}_{name}" for path in KERNELS for name in _of_path(metrics)]
    return [*columns(metrics), *paths]


def _figures(metrics: Metrics) -> list[str]:
    return [*measured_columns(metrics), "packed_mb", "tflite_mb"]


def _of_path(metrics: Metrics) -> list[str]:
    return [metrics[0].name, AGREEMENT.name, "largest_difference", "mean_difference"]


def note(task: Recorded) -> str:
    """The note for these columns."""
    return _NOTE.format(task.prediction_name)


def comparable(report: Report, images: int, calibration: str | None = None) -> Report:
    """The part of a report that can be compared with the simulation.

    Args:
        report: the report of a converted file.
        images: number of test images in the run's own evaluation.
        calibration: how the ranges of the file were found, if training did not gather them.

    Returns:
        The report. If the file was measured on other images, the measurements are left out and
        `left_out` says so.
    """
    if report["export"] in WITHOUT_FILE or report["images"] == images:
        return report
    command = "qbench convert RUN" + (f" deploy.calibration={calibration}" if calibration else "")
    said = (
        f"measured on {report['images']} test images, the simulation on {images};"
        f" `{command}` measures on the same"
    )
    return {**report, "kernels": {}, "left_out": said}


def lacking(report: Report | None) -> str | None:
    """Why a conversion gave no deployed values; None if it gave values or was not tried."""
    if report is None:
        return None
    if report["export"] in WITHOUT_FILE:
        return f"not converted. {report['export_note']}"
    return _unmeasured(report)


def _unmeasured(report: Report) -> str | None:
    """Why a file has no values on XNNPACK; None if it has values."""
    if "left_out" in report:
        return str(report["left_out"])
    error = report["kernels"].get(PATH, {}).get("error")
    return None if error is None else f"XNNPACK cannot run the file: {error}"


def cells(report: Report | None, metrics: Metrics) -> dict[str, Any]:
    """The cells of a converted file in its run's line."""
    if report is None:
        return {}
    line = {name: report[name] for name in TEXTS}
    if report["export"] in WITHOUT_FILE:
        return line
    notes = [report["export_note"], _unmeasured(report)]
    line["export_note"] = "; ".join(note for note in notes if note)
    kernels = report["kernels"]
    measured = kernels.get(PATH, {})
    line |= {name: measured.get(one.name) for name, one in measured_columns(metrics).items()}
    line["tflite_mb"] = report["bytes"] / 1e6
    if report.get("packed_bytes"):
        line["packed_mb"] = report["packed_bytes"] / 1e6
    for path in KERNELS:
        line |= {f"{path}_{name}": kernels.get(path, {}).get(name) for name in _of_path(metrics)}
    return line


def of_configuration(lines: pd.DataFrame, metrics: Metrics, several: bool) -> dict[str, Any]:
    """The cells of a configuration: means over the seeds with values, and their notes.

    Args:
        lines: the lines of its runs.
        metrics: the metrics of the sweep.
        several: whether there are several seeds. Then `n_deployed` counts the seeds with deployed
            values, and `_std` columns hold sample standard deviations.
    """
    figures = lines[_figures(metrics)].astype(float)
    found: dict[str, Any] = {str(name): values.mean_of(figures[name]) for name in figures}
    if several:
        found["n_deployed"] = int(figures[f"{PREFIX}{metrics[0].name}"].notna().sum())
        found |= {f"{name}_std": figures[name].std() for name in measured_columns(metrics)}
    return found | {name: _said(lines[name]) for name in TEXTS}


def _said(texts: pd.Series[Any]) -> str | None:
    """The texts of the seeds, the most frequent first, with counts if they differ."""
    counts = Counter(texts.dropna())
    if len(counts) <= 1:
        return next(iter(counts), None)
    return "; ".join(f"{text} ({n} of {len(texts)})" for text, n in counts.most_common() if text)


def deployed_figure(runs: pd.DataFrame, metric: Metric, remarks: list[str]) -> list[Drawing]:
    """The metric of files against the metric in simulation; a line for each row with both.

    Both are means over the seeds that have both values; with several, each seed is a dot.

    Args:
        runs: the result of `qbench.report.collect.runs_frame`.
        metric: the first metric of the sweep.
        remarks: the notes on the data.

    Returns:
        The figure; empty if no row has both values.
    """
    pairs = _pairs(runs, metric)
    if pairs.empty:
        return []
    return [Drawing(_title(metric), NAME, lambda: _draw(pairs, metric), remarks)]


def _title(metric: Metric) -> str:
    return f"{values.capital(metric.label)} in simulation and of the converted file"


def _draw(pairs: pd.DataFrame, metric: Metric) -> Figure:
    rows = pairs.groupby("configuration", sort=False).mean()[::-1]
    title, along = fitted(_title(metric), _WIDTH, points=12), fitted(values.axis(metric), _WIDTH)
    more = title.count("\n") + along.count("\n")
    height = 1.4 + 0.28 * len(rows) + 0.2 * more
    figure = Figure(figsize=(_WIDTH, height), layout="constrained")
    axes = figure.subplots()
    place = np.arange(len(rows))
    simulated, deployed = rows["simulated"], rows["deployed"]
    axes.hlines(place, simulated, deployed, color="grey", linewidth=1.5, zorder=1)
    _dots(axes, pairs, list(rows.index))
    (circle,) = axes.plot(simulated, place, "o", color=_BLUE, markersize=8)
    (diamond,) = axes.plot(deployed, place, "D", color=_ORANGE, markersize=4.5)
    axes.set_yticks(place, [name_of(label) for label in rows.index])
    figure.suptitle(title)
    axes.set_xlabel(along)
    axes.grid(alpha=0.25, linewidth=0.5, axis="x")
    axes.spines[["top", "right"]].set_visible(False)
    # Above the axes, because the notes on the data are below them.
    place_of = {"loc": "lower right", "bbox_to_anchor": (1, 1), "ncols": 2}
    entries = [("simulation", circle), ("converted file", diamond)]
    legend(axes, entries, **place_of, frameon=False, fontsize="small")
    return figure


def _dots(axes: Axes, pairs: pd.DataFrame, labels: list[str]) -> None:
    """A dot for each seed of the rows with several, simulation above the line and files below."""
    several = pairs[pairs.groupby("configuration")["simulated"].transform("size") > 1]
    place = several["configuration"].map(labels.index).to_numpy(float)
    for kind, colour, beside in (("simulated", _BLUE, 0.22), ("deployed", _ORANGE, -0.22)):
        axes.scatter(several[kind], place + beside, s=9, color=colour, alpha=0.6, linewidths=0)


def _pairs(runs: pd.DataFrame, metric: Metric) -> pd.DataFrame:
    """The columns `configuration`, `simulated` and `deployed` of the runs with both values."""
    both = {metric.name: "simulated", f"{PREFIX}{metric.name}": "deployed"}
    found = runs.reindex(columns=["configuration", *both]).dropna().rename(columns=both)
    return found.astype(dict.fromkeys(both.values(), float))
