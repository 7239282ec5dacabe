r"""The paper's 16 rows with and without shared segments, interleaved in one process.

    python benchmarks/sharing.py                                   # digits
    python benchmarks/sharing.py study=cifar10_resnet8 data.dir=DIR \
        seeds=0 deploy.enabled=false train.steps=400

Prints, for each round and as medians, the seconds of the training part (steps and compiling them)
and the whole wall-clock of `qbench sweep` (start-up, evaluation and reports too), and their ratios.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from common import chosen, save, spread

from qbench.storage import layout

ROUNDS = int(os.environ.get("ROUNDS", "3"))
Seconds = tuple[float, float, int]


def sweep(folder: Path, share: bool, overrides: list[str]) -> Seconds:
    """Seconds of training, seconds of the whole command, steps trained."""
    fixed = ["workers=1", f"share={str(share).lower()}", "keep_trunks=true", f"out={folder}"]
    arguments = [*fixed, *overrides]
    start = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "qbench", "sweep", *arguments],
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    whole = time.perf_counter() - start
    jobs = [json.loads(line) for line in layout.jobs_log(folder).read_text().splitlines()]
    return sum(job["train_seconds"] for job in jobs), whole, sum(job["steps"] for job in jobs)


def main() -> None:
    """Print the table and keep its figures, under the study's name."""
    typed = sys.argv[1:]
    study, overrides = chosen(typed)
    print(
        f"{'round':<7}{'shared: train':>14}{'whole':>8}{'alone: train':>14}{'whole':>8}"
        f"{'train ratio':>13}{'whole ratio':>13}"
    )
    rounds = []
    for number in range(ROUNDS):
        with tempfile.TemporaryDirectory() as place:
            shared = sweep(Path(place) / "shared", True, overrides)
            alone = sweep(Path(place) / "alone", False, overrides)
        rounds.append((shared, alone))
        ratio = shared[0] / alone[0], shared[1] / alone[1]
        print(
            f"{number + 1:<7}{shared[0]:>14.1f}{shared[1]:>8.1f}{alone[0]:>14.1f}{alone[1]:>8.1f}"
            f"{ratio[0]:>13.3f}{ratio[1]:>13.3f}",
            flush=True,
        )
    result = {
        "rounds": ROUNDS,
        "steps": {"shared": shared[2], "alone": alone[2], "ratio": shared[2] / alone[2]},
        "training": compared(rounds, 0),
        "whole": compared(rounds, 1),
    }
    print(f"steps: {shared[2]:,} shared, {alone[2]:,} alone, ratio {shared[2] / alone[2]:.3f}")
    for part in ("training", "whole"):
        print(f"median ratio, {part}: {result[part]['ratio']['median']:.3f}")
    shown = ["data.dir=DIR" if text.startswith("data.dir=") else text for text in typed]
    command = " ".join([f"ROUNDS={ROUNDS} python benchmarks/sharing.py", *shown])
    save(f"sharing_{study}", command, result)


def compared(rounds: list[tuple[Seconds, Seconds]], part: int) -> dict[str, dict[str, float]]:
    """Seconds with and without sharing, and their ratio in each round."""
    return {
        "shared_seconds": spread([shared[part] for shared, _ in rounds]),
        "alone_seconds": spread([alone[part] for _, alone in rounds]),
        "ratio": spread([shared[part] / alone[part] for shared, alone in rounds]),
    }


if __name__ == "__main__":
    main()
