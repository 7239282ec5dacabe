"""Trains a committed study again, in a folder of its own, and compares the tables.

    python scripts/reproduce.py digits
    python scripts/reproduce.py finetune --data data/cifar10

The commands are those that made the folder in results/, whose manifest keeps them. Results on the
same kind of processor are the same bit for bit; another one may differ in last bits.
"""

from __future__ import annotations

import argparse
import json
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "results"
MADE = ROOT / "outputs" / "reproduced"
QBENCH = [sys.executable, "-m", "qbench"]
START = "first.weights.h5"  # the weights from which results/finetune starts
FINETUNE = (
    "qbench sweep data=scripts/finetune/halves.py:SECOND data.dir=data/cifar10 data.validation=0.1"
    " model=resnet8 model.head=new train=finetune design=factorial design.baseline=each"
    f" model.weights={START},none train.learning_rate=0.005,0.05 quant.bits=8,4 'seeds=[0,1,2]'"
    " study.name=finetune threads=1 workers=2"
)
FIRST_HALF = (
    "qbench train study=cifar10_resnet8 data=scripts/finetune/halves.py:FIRST data.dir=data/cifar10"
    " seeds=0 deploy.enabled=false threads=1 train.steps=3000 quant.enabled=false"
)
# Manifests that are older than the command in them.
OLDER = {"digits": "qbench sweep study=digits deploy.enabled=true", "finetune": FINETUNE}


def studies() -> list[str]:
    """The committed studies."""
    return sorted(path.parent.name for path in RESULTS.glob("*/manifest.json"))


def command(name: str) -> str:
    """The command that made a committed study."""
    manifest: dict[str, Any] = json.loads((RESULTS / name / "manifest.json").read_bytes())
    return str(manifest.get("command") or OLDER[name])


def arguments(text: str, data: str | None, out: Path) -> list[str]:
    """The arguments of a command, with this folder of its data and this folder of results.

    Raises:
        SystemExit: it needs a folder of data, and there is none.
    """
    typed = shlex.split(text)[1:]
    for place, word in enumerate(typed):
        if not word.startswith("data.dir="):
            continue
        if not data:
            raise SystemExit(
                f"DATA=DIR is missing: the study was made with {word}; give the folder of its data."
            )
        typed[place] = f"data.dir={data}"
    return [*typed, f"out={out}"]


def run(words: list[str]) -> int:
    """Run a command of qbench from the repository; returns its exit code."""
    print(shlex.join(["qbench", *words]), flush=True)
    return subprocess.run([*QBENCH, *words], cwd=ROOT).returncode


def train_the_start(data: str | None) -> None:
    """Make the weights from which results/finetune starts, unless they are there."""
    out = MADE / "first"
    words = arguments(FIRST_HALF, data, out)
    if (ROOT / START).exists():
        return
    if code := run(words):
        raise SystemExit(code)
    (weights,) = out.glob("runs/*/model.weights.h5")
    shutil.copyfile(weights, ROOT / START)


def differences(committed: Path, made: Path) -> list[str]:
    """A line for each configuration whose first metric differs, and one about all of them."""
    tables = [pd.read_csv(folder / "table.csv") for folder in (committed, made)]
    metric = str(tables[0].columns[0])
    old, new = (table.set_index("configuration")[metric] for table in tables)
    if list(old.index) != list(new.index):
        return [f"The rows differ: {list(old.index)} and {list(new.index)}."]
    lines = [
        f"{row}: {old[row]:.4f} committed, {new[row]:.4f} here"
        for row in old.index
        if old[row] != new[row] and not (pd.isna(old[row]) and pd.isna(new[row]))
    ]
    return [*lines, f"{metric}: {len(old) - len(lines)} of {len(old)} rows are the same."]


def main() -> None:
    """Run and compare."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("study", choices=studies())
    parser.add_argument("--data", help="the folder of the study's data, if it needs one")
    options = parser.parse_args()
    data = str(Path(options.data).expanduser().resolve()) if options.data else None
    out = MADE / options.study
    words = arguments(command(options.study), data, out)
    if options.study == "finetune":
        train_the_start(data)
    code = run(words)
    if code == 2:
        raise SystemExit(code)
    print("\n".join(differences(RESULTS / options.study, out)))
    raise SystemExit(code)


if __name__ == "__main__":
    main()
