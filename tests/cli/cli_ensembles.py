"""A small sweep with ensembles, and what its folder holds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from qbench.storage import layout, records

# Baseline and default, each with four seeds, alone and as two ensembles of two.
SEEDS = ["seeds=[0,1,2,3]", "design.factors=[]", "train.steps=6"]
LABEL = "ensemble of 2: default"
Rows = dict[str, list[dict[str, Any]]]


def arguments(tiny: list[str], folder: Path, *more: str) -> list[str]:
    """The overrides of the sweep, in this folder."""
    return [*tiny, *SEEDS, "design.ensembles=[2]", f"out={folder}", *more]


def runs(folder: Path) -> Rows:
    """The runs in the manifest, by the label of their row."""
    manifest = json.loads((folder / "manifest.json").read_bytes())
    return {row["label"]: row["runs"] for row in manifest["rows"]}


def record(folder: Path, run: str) -> dict[str, Any]:
    """The record of a run, checked."""
    return records.read_record(layout.run_folder(folder, run))


def outputs(folder: Path, run: str) -> Any:
    """What a run keeps, in double precision."""
    with np.load(folder / "runs" / run / "outputs.npz") as arrays:
        return arrays["outputs"].astype(np.float64)


def files(folder: Path) -> dict[str, bytes]:
    """Every file of every run."""
    paths = [path for path in (folder / "runs").rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


def table(folder: Path) -> pd.DataFrame:
    """By configuration."""
    return pd.read_csv(folder / "table.csv").set_index("configuration")
