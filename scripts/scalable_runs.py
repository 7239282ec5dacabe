"""The runs of a sweep with scalable codes or few digits as one table, from their records alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from qbench.codes.dram_energy import FULL_BITS
from qbench.config.experiment import Experiment
from qbench.schemes import SCHEMES
from qbench.storage import layout, manifests, records

FLOAT, QSQ, DIGITS = "float", "qsq", "few_digits"
"""What becomes of the weights of a run."""

SHOWN = ("phi", "length", "along", "scale", "search", "retrain")
"""The arguments of a scheme that have a column under their own name."""

EVERY = "*"
"""The value of the column `layers` for all layers."""


def runs_of(sweep: Path) -> list[tuple[str, Path]]:
    """The label of each row with the folder of each of its runs."""
    rows = manifests.read_manifest(sweep)["rows"]
    return [
        (row["label"], layout.run_folder(sweep, run["id"]))
        for row in rows
        if "derived" not in row
        for run in row["runs"]
    ]


def frame_of(sweep: Path) -> pd.DataFrame:
    """A line for each finished run of float, coded or few-digit weights.

    Returns:
        `configuration`, `run`, `seed`, `kind` (FLOAT, QSQ or DIGITS), `steps` and `epochs` of
        retraining; of the scheme `phi`, `length` (text), `along`, `scale`, `search`, `retrain`,
        `layers` and `digits`; `accuracy`, the first metric; of the coded kernels `zeros`, the share
        of weights that are 0, and `saved`, the share of bits that are saved with 32 bits for each
        scale; `saved_in_all`, the same of all kernels. Empty where it has no meaning.
    """
    lines = [_line(label, folder) for label, folder in runs_of(sweep)]
    return pd.DataFrame([line for line in lines if line])


def _line(label: str, folder: Path) -> dict[str, Any]:
    """The line of a run; nothing of a run that has no metrics or another scheme."""
    record = records.read_record(folder)
    experiment = Experiment.from_config(
        records.read_json(folder / layout.CONFIG, "the configuration of a run")
    )
    kind = experiment.quant.scheme.name if experiment.quant.enabled else FLOAT
    if record["status"] != "ok" or kind not in (FLOAT, QSQ, DIGITS):
        return {}
    chosen = {}
    if kind != FLOAT:
        chosen = SCHEMES[kind].arguments(experiment.quant.scheme.arguments)
    steps, size = record["steps"]["quantized"], experiment.train.batch_size
    return {
        "configuration": label,
        "run": record["run"],
        "seed": experiment.seed,
        "kind": kind,
        "steps": steps,
        "epochs": round(steps * size / record["data"]["train_images"]),
        **{name: chosen.get(name) for name in SHOWN},
        "layers": ",".join(chosen["layers"]) if "layers" in chosen else None,
        "digits": chosen.get("digits"),
        "accuracy": next(iter(record["metrics"].values())),
        **_shares(record["kernels"]),
    }


def _shares(facts: dict[str, Any]) -> dict[str, float]:
    """Shares of zeros and of saved bits, from what a record counts."""
    weights, coded, bits = facts["weights"], facts["coded"], facts["read_bits"]
    shares = {"saved_in_all": 1 - bits / (FULL_BITS * weights)}
    if coded:
        of_coded = bits - FULL_BITS * (weights - coded)
        shares |= {"zeros": facts["zero"] / coded, "saved": 1 - of_coded / (FULL_BITS * coded)}
    return shares


def base_layers(frame: pd.DataFrame) -> str:
    """The layers that the most rows code: those of the grid of phi and N."""
    return str(frame[frame.kind == QSQ].groupby("layers").configuration.nunique().idxmax())


def grid(frame: pd.DataFrame, scale: str = "least_squares") -> pd.DataFrame:
    """The runs of the grid of phi and N: the most layers, across channels, without retraining.

    Their thresholds are those of the least distance.
    """
    chosen = frame[(frame.kind == QSQ) & (frame.retrain == "nothing") & (frame.scale == scale)]
    chosen = chosen[chosen.search == "distance"]
    return chosen[(chosen.layers == base_layers(frame)) & (chosen.along == "channels")]


def single_layers(frame: pd.DataFrame) -> pd.DataFrame:
    """The runs of one layer alone, without retraining."""
    chosen = frame[(frame.kind == QSQ) & (frame.retrain == "nothing")]
    return chosen[~chosen.layers.astype(str).str.contains(r"[*?,]")]
