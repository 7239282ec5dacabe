"""Figures 7 to 11 of Khaliq and Hafiz, from runs of one's own."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import cycle
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import pandas as pd
import scalable_runs as runs

from qbench.codes.dram_energy import FULL_BITS
from qbench.codes.levels import bits_of

COLOURS = {1: "#D55E00", 2: "#E69F00", 4: "#0072B2"}
LENGTHS = (2, 4, 8, 16, 32, 64)
DEPTH = "depth"
SPREAD = "; means and sample deviations over seeds"

# Accuracy by bits in the paper's conclusion, and the energy that it says is saved: its ConvNet.
PAPER_CONVNET = {2: (68.47, 91.95), 3: (73.28, 88.82)}
PAPER = {"convnet": PAPER_CONVNET}
"""The paper's points by the name of the study."""


def draw(frame: pd.DataFrame, study: str, folder: Path) -> list[str]:
    """Draw every figure that the runs allow; return the names of the files.

    Args:
        frame: see `scalable_runs.frame_of`.
        study: the name of the study, whose numbers in the paper are drawn too.
        folder: where to write the figures.

    Raises:
        ValueError: there is no run with scalable codes.
    """
    if not (frame.kind == runs.QSQ).any():
        raise ValueError("no run with scalable codes")
    grid, alone = runs.grid(frame), runs.single_layers(frame)
    paper = PAPER.get(study, {})
    level = float(frame[frame.kind == runs.FLOAT].accuracy.mean())
    made = []
    if len(alone):
        made.append(_layers(alone, grid, level, folder))
    if len(grid):
        made += [_vectors(grid, level, paper, folder), _memory(grid, paper, folder)]
        made.append(_energy(frame, level, paper, folder))
    return made


def _means(part: pd.DataFrame, keys: Sequence[str], value: str) -> pd.DataFrame:
    found = part.groupby(list(keys), sort=False)[value].agg(["mean", "std"]).reset_index()
    return found.fillna({"std": 0.0})


def _layers(alone: pd.DataFrame, grid: pd.DataFrame, level: float, folder: Path) -> str:
    """Figure 7: a bar for each layer that alone is coded, and one for all of them."""
    figure, axes = plt.subplots(figsize=(7, 4))
    same = grid[grid.length.isin(alone.length.unique())]
    together = same.assign(layers="together")
    means = _means(pd.concat([alone, together]), ["phi", "layers"], "accuracy")
    names = [*dict.fromkeys(alone.layers), "together"]
    phis = sorted(means.phi.unique())
    width = 0.8 / len(names)
    for number, name in enumerate(names):
        part = means[means.layers == name].set_index("phi").reindex(phis)
        places = [k + width * (number - (len(names) - 1) / 2) for k in range(len(phis))]
        axes.bar(places, part["mean"], width, yerr=part["std"], label=name)
    axes.axhline(level, color="black", linewidth=0.8, linestyle="--", label="float")
    axes.set_xticks(range(len(phis)), [f"phi {phi:g}" for phi in phis])
    low = max(min((means["mean"] - means["std"]).min() - 1, level - 2), 0)
    high = min(axes.get_ylim()[1], 100)
    axes.set(ylabel="accuracy, %", ylim=(low, high))
    axes.set_title(f"One layer alone, and all of them{SPREAD}", fontsize="medium")
    axes.legend(fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5))
    return _save(figure, folder, "qsq_layers")


def _vectors(grid: pd.DataFrame, level: float, paper: Any, folder: Path) -> str:
    """Figure 8: accuracy by N, a line for each phi."""
    figure, axes = plt.subplots(figsize=(7, 4))
    numbers = grid[grid.length != DEPTH]
    for phi, part in numbers.groupby("phi"):
        means = _means(part, ["length"], "accuracy")
        means = means.assign(length=means.length.astype(int)).sort_values("length")
        style = {"color": COLOURS[int(phi)], "marker": "o", "capsize": 2}
        axes.errorbar(means.length, means["mean"], means["std"], label=f"phi {phi:g}", **style)
    _levels(axes, level, {bits: accuracy for bits, (accuracy, _) in paper.items()})
    title = f"Accuracy by the values that share a scale{SPREAD}"
    axes.set(xscale="log", xlabel="values of a vector (N)", ylabel="accuracy, %")
    axes.set_title(title, fontsize="medium")
    axes.set_xticks(LENGTHS, [str(length) for length in LENGTHS])
    axes.minorticks_off()
    axes.legend(fontsize=8)
    return _save(figure, folder, "qsq_vectors")


def _levels(axes: Any, level: float, paper: dict[int, float]) -> None:
    """Lines for the float network, and for what the paper reports by bits."""
    axes.axhline(level, color="black", linewidth=0.8, linestyle="--", label="float")
    for bits, accuracy in paper.items():
        colour = COLOURS[1 if bits == bits_of(1) else 4]
        label = f"paper, {bits} bits"
        axes.axhline(accuracy, color=colour, linewidth=0.8, linestyle=":", label=label)


def _memory(grid: pd.DataFrame, paper: Any, folder: Path) -> str:
    """Figure 9: the share of bits that is saved by N, by formula and in the runs."""
    figure, axes = plt.subplots(figsize=(7, 4))
    for bits, phi in ((2, 1), (3, 4)):
        saved = [100 * (1 - bits / FULL_BITS - 1 / length) for length in LENGTHS]
        axes.plot(LENGTHS, saved, color=COLOURS[phi], label=f"{bits} bits, whole vectors")
        part = grid[(grid.phi == phi) & (grid.length != DEPTH)]
        means = _means(part, ["length"], "saved")
        places = means.length.astype(int)
        axes.plot(places, 100 * means["mean"], "o", color=COLOURS[phi], label=f"{bits} bits, runs")
        if bits in paper:
            label = f"paper, {bits} bits"
            axes.axhline(paper[bits][1], color=COLOURS[phi], linestyle=":", label=label)
    axes.set(xscale="log", xlabel="values of a vector (N)", ylabel="bits that are saved, %")
    axes.set_xticks(LENGTHS, [str(length) for length in LENGTHS])
    axes.minorticks_off()
    axes.legend(fontsize=8)
    return _save(figure, folder, "qsq_memory")


def _energy(frame: pd.DataFrame, level: float, paper: Any, folder: Path) -> str:
    """Figure 10: accuracy against the share of energy that is saved, a point for each row."""
    figure, axes = plt.subplots(figsize=(8, 5))
    coded = frame[(frame.kind == runs.QSQ) & (frame.layers == runs.base_layers(frame))]
    coded = coded[coded.search == "distance"]
    keys = ["phi", "scale", "along", "retrain", "epochs", "length"]
    means = coded.groupby(keys, sort=False)[["accuracy", "saved"]].mean().reset_index()
    marks = {("least_squares", "channels"): "o", ("least_squares", "filters"): "D"}
    trained = sorted(means.epochs[means.retrain != "nothing"].unique())
    of_epochs = dict(zip(trained, cycle("^vsP"), strict=False))
    for key, part in means.groupby(keys[:-1], sort=False):
        phi, scale, along, retrain, epochs = key
        mark = of_epochs[epochs] if retrain != "nothing" else marks.get((scale, along), "x")
        named = [f"phi {phi:g}", *([scale] if scale != "least_squares" else [])]
        named += ["across filters"] if along != "channels" else []
        named += [f"{retrain} trained, {epochs} epochs"] if retrain != "nothing" else []
        place = (100 * part.saved, part.accuracy)
        axes.plot(*place, mark, color=COLOURS[int(phi)], label=", ".join(named))
        for x, y, length in zip(*place, part.length, strict=True):
            axes.annotate(str(length), (x, y), (3, 3), textcoords="offset points", fontsize=6)
    for bits, (accuracy, saved) in paper.items():
        colour = COLOURS[1 if bits == bits_of(1) else 4]
        axes.plot(saved, accuracy, "*", color=colour, markersize=12, label=f"paper, {bits} bits")
    _levels(axes, level, {})
    axes.set(xlabel="energy of reading the coded kernels that is saved, %", ylabel="accuracy, %")
    axes.set_title("Means over seeds; N beside each point", fontsize="medium")
    axes.legend(fontsize=7)
    return _save(figure, folder, "qsq_energy")


def draw_digits(frame: pd.DataFrame, folder: Path) -> str:
    """Figure 11: the share of weights with each number of non-zero digits."""
    figure, axes = plt.subplots(figsize=(7, 4))
    means = frame.groupby("digits")[["binary", "signed"]].mean()
    for number, name in enumerate(means):
        label = {"binary": "binary", "signed": "canonical signed digits"}[str(name)]
        axes.bar(means.index + 0.4 * (number - 0.5), 100 * means[name], 0.4, label=label)
    axes.set(xlabel="non-zero digits", ylabel="weights, %")
    axes.legend()
    return _save(figure, folder, "qsq_digits")


def _save(figure: Any, folder: Path, name: str) -> str:
    folder.mkdir(exist_ok=True)
    figure.tight_layout()
    figure.savefig(folder / f"{name}.png", dpi=110, metadata={"Software": None})
    plt.close(figure)
    return f"{name}.png"
