"""The reference for quantized training: the float rows, quantized after training."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from statistics import fmean
from typing import Any

from qbench.report.collect import Sweep
from qbench.report.deployed import AGREEMENT, Metrics, Report, cells, lacking
from qbench.report.texts import counted
from qbench.report.values import amount
from qbench.storage.conversions import WITHOUT_FILE
from qbench.tasks.metric import Metric

Line = dict[str, Any]


def reference(sweep: Sweep) -> list[str]:
    """A sentence for each float row that was quantized after training."""
    rows, reports = sweep.trained, sweep.references
    several = sum(not row["quantized"] for row in rows) > 1
    lines = []
    for row in rows:
        mine = [reports[run["id"]] for run in row["runs"] if run["id"] in reports]
        if mine:
            who = f"the float row {row['label']}" if several else "the float baseline"
            lines.append(_sentence(who, mine, sweep.metrics, len(row["runs"])))
    return lines


def _sentence(who: str, reports: list[Report], metrics: Metrics, seeds: int) -> str:
    """Means over the seeds with values, and why other seeds have none."""
    done = [cells(report, metrics) for report in reports if report["export"] not in WITHOUT_FILE]
    reasons = Counter(reason for report in reports if (reason := lacking(report)))
    if not done:
        notes = dict.fromkeys(report["export_note"] for report in reports)
        return f"Post-training quantization of {who}: none. {' '.join(notes)}"
    metric = metrics[0]
    parts, measured = _parts(done, metric), len(_values(done, f"deployed_{metric.name}"))
    if measured and seeds > 1:
        of_all = "" if measured == seeds else f" of {seeds}"
        parts[-1] += f" (means over {measured}{of_all} seeds)"
    said = (
        f"For comparison, post-training quantization of {who} (int8, ranges calibrated on training"
        f" images): {', '.join(parts)}."
    )
    for reason, count in reasons.items():
        who = f"{counted(count, 'seed')} of {seeds}" if seeds > 1 else f"No {metric.label}"
        said += f" {who}: {reason.removesuffix('.')}."
    return said


def _parts(done: list[Line], metric: Metric) -> list[str]:
    """The parts of the sentence about the files, as means: the metric, the agreement, the size."""
    texts: dict[str, Callable[[list[float]], str]] = {
        f"deployed_{metric.name}": lambda values: f"{amount(metric, *values)} deployed",
        AGREEMENT.name: lambda values: (
            f"agreement with the float network {amount(AGREEMENT, *values)}"
        ),
        "tflite_mb": lambda values: f"{fmean(values):.3g} MB",
    }
    found = [(text, _values(done, name)) for name, text in texts.items()]
    return [text(values) for text, values in found if values]


def _values(done: list[Line], name: str) -> list[float]:
    return [line[name] for line in done if line[name] is not None]
