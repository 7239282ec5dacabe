"""What is missing in a table, and why."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from qbench.planning.derived import run_name
from qbench.report import deployed
from qbench.report.collect import Sweep


def troubles(sweep: Sweep) -> list[str]:
    """One line with the reason for each run without values, then for the runs without a file's.

    Runs whose files have no values for the same reason are one line.
    """
    lines = []
    files: dict[str, list[str]] = {}
    for row in sweep.manifest["rows"]:
        if row["reason"] is not None:
            lines.append(f"{row['label']}: not applicable. {row['reason']}")
        for run in row["runs"]:
            record = sweep.records.get(run["id"])
            name = run_name(row, run, ", ")
            if record is None:
                lines.append(f"{name}: missing. It has left no record (yet).")
            elif record["status"] != "ok":
                lines.append(f"{name}: {record['status']}. {record['error']['message']}")
        for reason, names in _without_file(sweep, row).items():
            files.setdefault(reason, []).extend(names)
    return [*lines, *(f"{'; '.join(names)}: {reason}" for reason, names in files.items())]


def _without_file(sweep: Sweep, row: Mapping[str, Any]) -> dict[str, list[str]]:
    """By reason, the runs of a row whose files have no values; the row alone if it is all runs."""
    found: dict[str, list[str]] = {}
    for run in row["runs"]:
        trained = sweep.records.get(run["id"], {}).get("status") == "ok"
        reason = deployed.lacking(sweep.exports.get(run["id"])) if trained else None
        if reason is not None:
            found.setdefault(reason, []).append(run_name(row, run, ", "))
    every = len(row["runs"])
    return {
        reason: [row["label"]] if 1 < len(names) == every else names
        for reason, names in found.items()
    }
