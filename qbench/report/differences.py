"""Quantized accuracy against the float accuracy of the same network."""

from __future__ import annotations

from typing import Any

import pandas as pd

from qbench.base.checks import show
from qbench.planning.designs import network_part
from qbench.report.collect import Sweep
from qbench.report.texts import Lines

TITLE = "Quantized against float accuracy"
EXPLAINED = (
    "Accuracy in %; the difference is in percentage points, of runs with the same network and seed."
)
FIGURES = ["float_accuracy", "accuracy", "difference", "difference_std", "size_mb", "n_seeds"]


def differences(sweep: Sweep) -> pd.DataFrame:
    """One line for each quantized row of the table.

    Returns:
        A column for each factor that varies, those of the network first, with its level as it is
        written on the command line; `float_accuracy` and `accuracy` in %; `difference`, quantized
        less float, in percentage points, the mean over the `n_seeds` seeds of which both have
        figures, and `difference_std`, its sample standard deviation; `size_mb`. NaN where there
        are no figures, or no float row of the network.
    """
    levels = sweep.manifest["design"]["levels"]
    keys = sorted(levels, key=lambda key: not network_part({key: None}))
    floats = {
        _network(row, levels): _accuracies(sweep, row)
        for row in sweep.manifest["rows"]
        if not row["quantized"]
    }
    lines = []
    for row in sweep.manifest["rows"]:
        if not row["quantized"]:
            continue
        pairs = pd.DataFrame(
            {"quantized": _accuracies(sweep, row), "float": floats.get(_network(row, levels), {})},
            dtype=float,
        ).dropna()
        found = pairs["quantized"] - pairs["float"]
        line: dict[str, Any] = {key: show(_level(row, levels, key)) for key in keys}
        line["float_accuracy"] = pairs["float"].mean()
        line["accuracy"] = pairs["quantized"].mean()
        line |= {"difference": found.mean(), "difference_std": found.std(), "n_seeds": len(found)}
        line["size_mb"] = _size(sweep, row)
        lines.append(line)
    return pd.DataFrame(lines, columns=[*keys, *FIGURES])


def has_networks(sweep: Sweep) -> bool:
    """Whether the table holds several networks, each with a float row."""
    return sum(not row["quantized"] for row in sweep.manifest["rows"]) > 1


def as_lines(frame: pd.DataFrame) -> Lines:
    """The differences as texts; a factor without a choice and spreads of one seed are left out."""
    keys = [key for key in frame.columns if key not in FIGURES and frame[key].nunique() > 1]
    lines = [[*keys, "float %", "quantized %", "difference", "size MB"]]
    for _, line in frame.iterrows():
        spread = "" if pd.isna(line["difference_std"]) else f" ± {line['difference_std']:.2f}"
        size = "-" if pd.isna(line["size_mb"]) else f"{line['size_mb']:.3g}"
        lines.append(
            [
                *(str(line[key]) for key in keys),
                percent(line["float_accuracy"]),
                percent(line["accuracy"]),
                points(line["difference"]) + spread,
                size,
            ]
        )
    return lines


def percent(value: float) -> str:
    """`98.50`, or `-` where there is no figure."""
    return "-" if pd.isna(value) else f"{value:.2f}"


def points(value: float) -> str:
    """`+0.17`, `-1.00`, `0.00`, or `-` where there is no figure."""
    if pd.isna(value):
        return "-"
    return f"{value:+.2f}" if abs(value) >= 0.005 else "0.00"


def _level(row: dict[str, Any], levels: dict[str, Any], key: str) -> Any:
    return row["changes"].get(key, levels[key][0])


def _network(row: dict[str, Any], levels: dict[str, Any]) -> str:
    """Names the network of a row: its levels of everything that is not quantization."""
    return repr({key: show(_level(row, levels, key)) for key in network_part(levels)})


def _accuracies(sweep: Sweep, row: dict[str, Any]) -> dict[int, float]:
    """Accuracy in % by seed, of the runs that have figures."""
    found = {run["seed"]: sweep.records.get(run["id"]) for run in row["runs"]}
    return {
        seed: record["metrics"]["accuracy"]
        for seed, record in found.items()
        if record and record["metrics"]
    }


def _size(sweep: Sweep, row: dict[str, Any]) -> float:
    """Theoretical size in MB; NaN where no run has left one."""
    for run in row["runs"]:
        record = sweep.records.get(run["id"])
        if record and record["size"]:
            return float(record["size"]["megabytes"])
    return float("nan")
