"""Tables and figures of a sweep of `quant/scheme=qsq`: zeros, files, energy, digits of weights.

    python scripts/quality_scalable.py outputs/lenet --data data/mnist

It reads the weights of every run, so the sweep must be on this machine. It writes into the folder
of the sweep `quality_scalable.csv` (a line for each run), `digits.csv` (the distributions of
non-zero digits over the kernels of float runs), and figures: accuracy by N, accuracy against
energy, and the digits (figures 8 to 11 of Khaliq and Hafiz).
"""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import pandas as pd

from qbench.codes.signed_digits import counted
from qbench.deploy.scalable_codes import codes_of_network, costs
from qbench.engine.finished import bring_back
from qbench.storage import layout, manifests

MOST = 4


def runs_of(sweep: Path) -> list[tuple[str, Path]]:
    """The label of each row with the folder of each of its runs."""
    rows = manifests.read_manifest(sweep)["rows"]
    return [
        (row["label"], layout.run_folder(sweep, run["id"]))
        for row in rows
        if "derived" not in row
        for run in row["runs"]
    ]


def line_of(label: str, run: Any) -> dict[str, Any]:
    """The line of a run with scalable codes."""
    kernel = run.experiment.quant.quantization.kernel
    applied = run.network.applied(run.experiment.scheme)
    metric, value = next(iter(run.record["metrics"].items()))
    return {
        "configuration": label,
        "seed": run.experiment.seed,
        "phi": kernel.phi,
        "length": kernel.length or "depth",
        "scale": kernel.scale,
        "retrain": run.experiment.scheme.retrain,
        metric: value,
        **asdict(costs(codes_of_network(applied))),
    }


def digits_of(run: Any) -> list[dict[str, Any]]:
    """The distributions of a float run: a line for each number of non-zero digits."""
    values = [w.numpy().reshape(-1) for w in run.network.model.weights if w.name == "kernel"]
    each = [counted(one) for one in values]
    binary, signed = sum(one.binary for one in each), sum(one.signed for one in each)
    total = binary.sum()
    every = sum(one.partial_products() for one in each)
    return [
        {
            "seed": run.experiment.seed,
            "digits": number,
            "binary": binary[number] / total,
            "signed": signed[number] / total,
            "saved_with_so_many": 1 - sum(one.partial_products(number) for one in each) / every,
        }
        for number in range(len(binary))
    ]


def draw_lines(frame: pd.DataFrame, metric: str, path: Path) -> None:
    """Accuracy by N, a line for each phi."""
    fig, ax = plt.subplots(figsize=(6, 4))
    numbers = frame[(frame.length != "depth") & (frame.retrain == "nothing")]
    for (phi, scale), part in numbers.groupby(["phi", "scale"]):
        means = part.assign(length=part.length.astype(int)).groupby("length")[metric].mean()
        ax.plot(means.index, means, marker="o", label=f"phi {phi}, {scale}")
    ax.set(xscale="log", xlabel="values of a vector (N)", ylabel=metric)
    ax.set_xticks([2, 4, 8, 16, 32, 64], ["2", "4", "8", "16", "32", "64"])
    ax.minorticks_off()
    ax.legend(fontsize=8)
    _save(fig, path)


def draw_energy(frame: pd.DataFrame, metric: str, path: Path) -> None:
    """Accuracy against the share of energy that is saved, a point for each row."""
    fig, ax = plt.subplots(figsize=(6, 4))
    keys = ["phi", "scale", "retrain", "length"]
    means = frame.groupby(keys)[[metric, "energy"]].mean().reset_index()
    for (phi, scale, retrain), part in means.groupby(keys[:3]):
        ax.plot(100 * part.energy, part[metric], "o", label=f"phi {phi}, {scale}, {retrain}")
        for _, point in part.iterrows():
            ax.annotate(str(point.length), (100 * point.energy, point[metric]), fontsize=7)
    ax.set(xlabel="energy of reading weights that is saved, %", ylabel=metric)
    ax.legend(fontsize=8)
    _save(fig, path)


def draw_digits(frame: pd.DataFrame, path: Path) -> None:
    """The share of weights with each number of non-zero digits."""
    fig, ax = plt.subplots(figsize=(6, 4))
    means = frame.groupby("digits")[["binary", "signed"]].mean()
    for number, name in enumerate(means):
        ax.bar(means.index + 0.4 * (number - 0.5), 100 * means[name], 0.4, label=name)
    ax.set(xlabel="non-zero digits", ylabel="weights, %")
    ax.legend()
    _save(fig, path)


def _save(fig: Any, path: Path) -> None:
    fig.tight_layout()
    fig.savefig(path, dpi=120)
    plt.close(fig)


def main(arguments: list[str] | None = None) -> None:
    """Read the arguments, those of the command line by default, and write tables and figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sweep", type=Path, help="the folder of a sweep")
    parser.add_argument("--data", help="the folder of its data, if it is another one now")
    given = parser.parse_args(arguments)
    changes = {"data.dir": given.data} if given.data else {}
    lines, digits = [], []
    for label, folder in runs_of(given.sweep):
        run = bring_back(folder, changes)
        if not run.experiment.quant.enabled:
            digits += digits_of(run)
        elif run.experiment.quant.scheme.name == "qsq":
            lines.append(line_of(label, run))
    figures = given.sweep / "figures"
    figures.mkdir(exist_ok=True)
    if lines:
        frame = pd.DataFrame(lines)
        metric = str(frame.columns[6])
        frame.to_csv(given.sweep / "quality_scalable.csv", index=False, float_format="%.6g")
        draw_lines(frame, metric, figures / "qsq_vectors.png")
        draw_energy(frame, metric, figures / "qsq_energy.png")
        print(frame.groupby("configuration", sort=False).mean(numeric_only=True).to_string())
    if digits:
        frame = pd.DataFrame(digits)
        frame.to_csv(given.sweep / "digits.csv", index=False, float_format="%.6g")
        draw_digits(frame, figures / "qsq_digits.png")
        few = frame[frame.digits.between(1, MOST)].groupby("digits").saved_with_so_many.mean()
        print("partial products saved:", {k: f"{100 * v:.1f} %" for k, v in few.items()})


if __name__ == "__main__":
    main()
