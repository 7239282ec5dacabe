"""What the report says of converted files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from qbench.report.drawing import save_figure

# Of the file on XNNPACK, the runtime's own choice of kernels; deploy.json has every path.
PATH = "xnnpack"
FIGURES = ["deployed_accuracy", "deployed_recall_at_5", "agreement", "packed_mb", "tflite_mb"]
TEXTS = ["export", "export_note"]
COLUMNS = [*FIGURES, *TEXTS]
TITLE = "Accuracy in simulation and of the converted file"

NOTE = (
    "Deployed figures are those of the converted file on the whole test set, on XNNPACK, the"
    " runtime's own choice of kernels. Agreement is the share of test images that get the class"
    " which the simulation gives them on the same fixed ranges. Approximate files differ from the"
    " simulation as the note says; docs/deployment.md has the rule."
)

Report = Mapping[str, Any]


def cells(report: Report | None) -> dict[str, Any]:
    """What a converted file adds to its run's line."""
    if report is None:
        return {}
    line = {name: report[name] for name in TEXTS}
    if report["export"] == "none":
        return line
    measured = report["kernels"][PATH]
    line |= {
        "deployed_accuracy": measured.get("accuracy"),
        "deployed_recall_at_5": measured.get("recall_at_5"),
        "agreement": measured.get("agreement"),
        "tflite_mb": report["bytes"] / 1e6,
    }
    if report.get("packed_bytes"):
        line["packed_mb"] = report["packed_bytes"] / 1e6
    return line


def of_configuration(lines: pd.DataFrame) -> dict[str, Any]:
    """The cells of a configuration from the lines of its runs: means, and the first text."""
    found: dict[str, Any] = {name: lines[name].astype(float).mean() for name in FIGURES}
    for name in TEXTS:
        said = lines[name].dropna()
        found[name] = said.iloc[0] if len(said) else None
    return found


def reference(reports: Mapping[str, Report]) -> list[str]:
    """The baseline quantized after training, in a sentence.

    Args:
        reports: what is known of these files, by run.
    """
    done = [cells(report) for report in reports.values() if report["export"] != "none"]
    if not done:
        return [
            f"Post-training quantization of the baseline: none. {report['export_note']}"
            for report in list(reports.values())[:1]
        ]
    means = {name: np.mean([line[name] for line in done]) for name in FIGURES if name in done[0]}
    return [
        "For comparison, post-training quantization of the float baseline (int8, ranges calibrated"
        f" on training images): {means['deployed_accuracy']:.2f} % deployed, agreement with the"
        f" float network {means['agreement']:.2f} %, {means['tflite_mb']:.3g} MB."
    ]


def draw(table: pd.DataFrame, stem: Path, remarks: list[str]) -> dict[str, list[Path]]:
    """Simulated against deployed accuracy, a line for each row that has both; files by title."""
    rows = table[table["accuracy"].notna() & table["deployed_accuracy"].notna()][::-1]
    if rows.empty:
        return {}
    figure = Figure(figsize=(7.2, 1.4 + 0.28 * len(rows)), layout="constrained")
    axes = figure.subplots()
    place = np.arange(len(rows))
    simulated, deployed = rows["accuracy"], rows["deployed_accuracy"]
    axes.hlines(place, simulated, deployed, color="grey", linewidth=1.5, zorder=1)
    axes.plot(simulated, place, "o", color="#0072B2", markersize=8, label="simulation")
    axes.plot(deployed, place, "D", color="#D55E00", markersize=4.5, label="converted file")
    axes.set_yticks(place, rows["configuration"])
    figure.suptitle(TITLE)
    axes.set_xlabel("accuracy %")
    axes.grid(alpha=0.25, linewidth=0.5, axis="x")
    axes.spines[["top", "right"]].set_visible(False)
    figure.legend(loc="outside lower right", ncols=2, frameon=False, fontsize="small")
    return {TITLE: save_figure(figure, stem, remarks)}
