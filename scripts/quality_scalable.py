"""Tables and figures of a sweep of `quant/scheme=qsq`: zeros, energy, files, digits of weights.

    python scripts/quality_scalable.py outputs/lenet --data data/mnist

From the records of the sweep it writes into its folder `quality_scalable.csv` (a line for each
run) and figures 7 to 10 of Khaliq and Hafiz, of thresholds by distance. If the weights of the runs
are there, as they are not in committed results, it also writes `scalable_files.csv` (the file of
the codes, decoded and compared) and `digits.csv` (the distributions of non-zero digits over the
kernels of float runs). Figure 11 is drawn from `digits.csv`.
"""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import Any

import matplotlib
import pandas as pd
import scalable_figures
import scalable_runs as runs

from qbench.codes.signed_digits import counted
from qbench.storage import layout, manifests

FORM = "%.6g"
MOST = 4


def file_of(label: str, run: Any) -> dict[str, Any]:
    """The line of a run with scalable codes: the file of its codes."""
    from qbench.deploy.scalable_codes import codes_of_network, costs

    applied = run.network.applied(run.experiment.scheme)
    line = {"configuration": label, "seed": run.experiment.seed}
    return line | asdict(costs(codes_of_network(applied)))


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


def of_weights(sweep: Path, frame: pd.DataFrame, data: str | None) -> None:
    """Write `scalable_files.csv` and `digits.csv` from the weights of the runs."""
    from qbench.engine.finished import bring_back

    changes = {"data.dir": data} if data else {}
    files: list[dict[str, Any]] = []
    digits: list[dict[str, Any]] = []
    kinds = dict(zip(frame.run, frame.kind, strict=True))
    for label, folder in runs.runs_of(sweep):
        kind = kinds.get(folder.name)
        if kind == runs.QSQ:
            files.append(file_of(label, bring_back(folder, changes)))
        elif kind == runs.FLOAT:
            digits += digits_of(bring_back(folder, changes))
    for name, lines in (("scalable_files.csv", files), ("digits.csv", digits)):
        if lines:
            pd.DataFrame(lines).to_csv(sweep / name, index=False, float_format=FORM)


def main(arguments: list[str] | None = None) -> None:
    """Read the arguments, those of the command line by default, and write tables and figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sweep", type=Path, help="the folder of a sweep")
    parser.add_argument("--data", help="the folder of its data, if it is another one now")
    given = parser.parse_args(arguments)
    matplotlib.use("Agg")
    sweep, frame = given.sweep, runs.frame_of(given.sweep)
    frame.to_csv(sweep / "quality_scalable.csv", index=False, float_format=FORM)
    if all((folder / layout.WEIGHTS).exists() for _, folder in runs.runs_of(sweep)):
        of_weights(sweep, frame, given.data)
    study = str(manifests.read_manifest(sweep)["study"])
    if (frame.kind == runs.QSQ).any():
        scalable_figures.draw(frame, study, sweep / "figures")
    shown = frame.reindex(columns=["configuration", "accuracy", "zeros", "saved"])
    shown = shown.groupby("configuration", sort=False).mean()
    print(shown.to_string(float_format="{:.4g}".format))
    if (sweep / "digits.csv").exists():
        digits = pd.read_csv(sweep / "digits.csv")
        scalable_figures.draw_digits(digits, sweep / "figures")
        few = digits[digits.digits.between(1, MOST)].groupby("digits").saved_with_so_many.mean()
        print("partial products saved:", {k: f"{100 * v:.1f} %" for k, v in few.items()})


if __name__ == "__main__":
    main()
