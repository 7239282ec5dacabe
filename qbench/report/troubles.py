"""What is missing in a table, and why."""

from __future__ import annotations

from qbench.planning.derived import run_name
from qbench.report import deployed
from qbench.report.collect import Sweep


def troubles(sweep: Sweep) -> list[str]:
    """One line with the reason for each run without values of the simulation or of its file."""
    lines = []
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
            elif reason := deployed.lacking(sweep.exports.get(run["id"])):
                lines.append(f"{name}: {reason}")
    return lines
