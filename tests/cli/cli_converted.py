"""Sweeps whose runs are converted."""

from __future__ import annotations

import csv
import json
from pathlib import Path

# The rows of the number of bits, and of each a file.
SWEEP = [
    "sweep",
    "study=digits",
    "train.steps=10",
    "threads=2",
    "workers=1",
    "isolate=false",
    "design.factors=[quant.bits]",
    "deploy.enabled=true",
    "eval.limit=100",
]


def rows_of(folder: Path) -> dict[str, dict[str, str]]:
    """The lines of a sweep's table by configuration."""
    with (folder / "table.csv").open() as file:
        return {row["configuration"]: row for row in csv.DictReader(file)}


def run_of(sweep: Path, label: str) -> Path:
    """The folder of the first run of a row."""
    manifest = json.loads((sweep / "manifest.json").read_text())
    (row,) = [row for row in manifest["rows"] if row["label"] == label]
    return sweep / manifest["runs"] / row["runs"][0]["id"]
