"""What quantized training has to beat: the float rows, quantized after training."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

from qbench.report.deployed import Report, cells, lacking
from qbench.report.texts import counted
from qbench.storage.conversions import WITHOUT_FILE

_PARTS = {
    "deployed_accuracy": "{:.2f} % deployed",
    "agreement": "agreement with the float network {:.2f} %",
    "tflite_mb": "{:.3g} MB",
}


def reference(rows: Sequence[Mapping[str, Any]], reports: Mapping[str, Report]) -> list[str]:
    """A sentence for each float row that was quantized after training.

    Args:
        rows: of the manifest.
        reports: what is known of these files, by run.
    """
    several = sum(not row["quantized"] for row in rows) > 1
    lines = []
    for row in rows:
        mine = [reports[run["id"]] for run in row["runs"] if run["id"] in reports]
        if mine:
            who = f"the float row {row['label']}" if several else "the float baseline"
            lines.append(_sentence(who, mine, len(row["runs"])))
    return lines


def _sentence(who: str, reports: list[Report], seeds: int) -> str:
    """Means over the seeds that have figures, and why others have none."""
    done = [cells(report) for report in reports if report["export"] not in WITHOUT_FILE]
    reasons = Counter(reason for report in reports if (reason := lacking(report)))
    if not done:
        notes = dict.fromkeys(report["export_note"] for report in reports)
        return f"Post-training quantization of {who}: none. {' '.join(notes)}"
    parts = []
    for name, text in _PARTS.items():
        values = [line[name] for line in done if line[name] is not None]
        parts += [text.format(fmean(values))] if values else []
    measured = sum(line["deployed_accuracy"] is not None for line in done)
    if measured and seeds > 1:
        of_all = "" if measured == seeds else f" of {seeds}"
        parts[-1] += f" (means over {measured}{of_all} seeds)"
    said = (
        f"For comparison, post-training quantization of {who} (int8, ranges calibrated on training"
        f" images): {', '.join(parts)}."
    )
    for reason, count in reasons.items():
        who = f"{counted(count, 'seed')} of {seeds}" if seeds > 1 else "No accuracy"
        said += f" {who}: {reason.removesuffix('.')}."
    return said
