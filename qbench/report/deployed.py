"""What the tables say of converted files, and the figure that sets them beside the simulation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from qbench.deploy.lite import KERNELS
from qbench.report import values
from qbench.report.drawing import Drawing, fitted, legend, name_of
from qbench.storage.conversions import WITHOUT_FILE
from qbench.tasks.metric import Metric, leading
from qbench.tasks.task import Recorded

# Of the file on XNNPACK, the runtime's own choice of kernels; runs.csv has every path.
PATH = "xnnpack"
AGREEMENT = Metric("agreement", "agreement", "%", 2, higher_is_better=True)
TEXTS = ["export", "export_note"]
NAME = "deployed"
_WIDTH = 7.2  # of the figure, in inches

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
    """The columns of what was measured of files, by name: leading metrics, and the agreement."""
    own = {f"deployed_{metric.name}": metric for metric in leading(metrics)}
    return {**own, AGREEMENT.name: AGREEMENT}


def columns(metrics: Metrics) -> list[str]:
    """What a table has of converted files."""
    return [*_figures(metrics), *TEXTS]


def of_seeds(metrics: Metrics) -> list[str]:
    """What it has beside that with several seeds."""
    return ["n_deployed", *(f"{name}_std" for name in measured_columns(metrics))]


def of_runs(metrics: Metrics) -> list[str]:
    """The same of runs.csv, which has every kernel path."""
    paths = [f"{path}_{name}" for path in KERNELS for name in _of_path(metrics)]
    return [*columns(metrics), *paths]


def _figures(metrics: Metrics) -> list[str]:
    return [*measured_columns(metrics), "packed_mb", "tflite_mb"]


def _of_path(metrics: Metrics) -> list[str]:
    return [metrics[0].name, AGREEMENT.name, "largest_difference", "mean_difference"]


def note(task: Recorded) -> str:
    """What a reader must know beside these columns."""
    return _NOTE.format(task.prediction_name)


def comparable(report: Report, images: int, calibration: str | None = None) -> Report:
    """The report as it may stand beside the simulation.

    Args:
        report: what is known of a converted file.
        images: how many test images the run's own figures are of.
        calibration: how the ranges of the file were found where training did not gather them.

    Returns:
        The report; where the file was measured on other images, without what was measured and with
        `left_out`, which says so.
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
    """Why a conversion gave no deployed figures; None where it did, or was not tried."""
    if report is None:
        return None
    if report["export"] in WITHOUT_FILE:
        return f"not converted. {report['export_note']}"
    return _unmeasured(report)


def _unmeasured(report: Report) -> str | None:
    """Why a file has no figures on XNNPACK; None where it has."""
    if "left_out" in report:
        return str(report["left_out"])
    error = report["kernels"].get(PATH, {}).get("error")
    return None if error is None else f"XNNPACK cannot run the file: {error}"


def cells(report: Report | None, metrics: Metrics) -> dict[str, Any]:
    """What a converted file adds to its run's line."""
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
    """The cells of a configuration: means over the seeds that have figures, and what is said.

    Args:
        lines: those of its runs.
        metrics: of the sweep.
        several: whether there are several seeds; then `n_deployed` counts those with deployed
            figures, and `_std` columns hold sample standard deviations.
    """
    figures = lines[_figures(metrics)].astype(float)
    found: dict[str, Any] = dict(figures.mean())
    if several:
        found["n_deployed"] = int(figures[f"deployed_{metrics[0].name}"].notna().sum())
        found |= {f"{name}_std": figures[name].std() for name in measured_columns(metrics)}
    return found | {name: _said(lines[name]) for name in TEXTS}


def _said(texts: pd.Series[Any]) -> str | None:
    """What the seeds say, commonest first, with counts where they do not all say the same."""
    counts = Counter(texts.dropna())
    if len(counts) <= 1:
        return next(iter(counts), None)
    return "; ".join(f"{text} ({n} of {len(texts)})" for text, n in counts.most_common() if text)


def deployed_figure(runs: pd.DataFrame, metric: Metric, remarks: list[str]) -> list[Drawing]:
    """The metric in simulation against that of files, a line for each row that has both.

    Both are means over the same seeds, those that have both.

    Args:
        runs: as `qbench.report.collect.runs_frame` gives it.
        metric: the sweep's first.
        remarks: what must be said of the data.

    Returns:
        The figure; nothing where no row has both.
    """
    rows = _pairs(runs, metric)[::-1]
    if rows.empty:
        return []
    return [Drawing(_title(metric), NAME, lambda: _draw(rows, metric), remarks)]


def _title(metric: Metric) -> str:
    return f"{values.capital(metric.label)} in simulation and of the converted file"


def _draw(rows: pd.DataFrame, metric: Metric) -> Figure:
    title, along = fitted(_title(metric), _WIDTH, points=12), fitted(values.axis(metric), _WIDTH)
    more = title.count("\n") + along.count("\n")
    height = 1.4 + 0.28 * len(rows) + 0.2 * more
    figure = Figure(figsize=(_WIDTH, height), layout="constrained")
    axes = figure.subplots()
    place = np.arange(len(rows))
    simulated, deployed = rows["simulated"], rows["deployed"]
    axes.hlines(place, simulated, deployed, color="grey", linewidth=1.5, zorder=1)
    (circle,) = axes.plot(simulated, place, "o", color="#0072B2", markersize=8)
    (diamond,) = axes.plot(deployed, place, "D", color="#D55E00", markersize=4.5)
    axes.set_yticks(place, [name_of(label) for label in rows.index])
    figure.suptitle(title)
    axes.set_xlabel(along)
    axes.grid(alpha=0.25, linewidth=0.5, axis="x")
    axes.spines[["top", "right"]].set_visible(False)
    # Above the axes: what must be said of the data stands below them.
    place_of = {"loc": "lower right", "bbox_to_anchor": (1, 1), "ncols": 2}
    entries = [("simulation", circle), ("converted file", diamond)]
    legend(axes, entries, **place_of, frameon=False, fontsize="small")
    return figure


def _pairs(runs: pd.DataFrame, metric: Metric) -> pd.DataFrame:
    """Mean `simulated` and `deployed` values by configuration, over the runs that have both."""
    both = {metric.name: "simulated", f"deployed_{metric.name}": "deployed"}
    found = runs.reindex(columns=["configuration", *both]).dropna().rename(columns=both)
    kinds = dict.fromkeys(both.values(), float)
    return found.astype(kinds).groupby("configuration", sort=False).mean()
