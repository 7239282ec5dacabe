"""Seconds of whole commands, and where the time of a sweep goes.

    python benchmarks/commands.py

`qbench --help`, `qbench plan`, and `qbench report` on 1,008 records (the 16 rows of a digits sweep
under 63 seeds). `qbench sweep study=digits` and `qbench sweep`, one after the other, each from an
empty folder to its report, and `qbench sweep` without its files. The breakdown is of the digits
with one worker, where the parts add up.
"""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from common import save, spread

from qbench.storage import layout, manifests, records

ROUNDS = int(os.environ.get("ROUNDS", "5"))
SEEDS = 63


def seconds(*arguments: str) -> float:
    """Wall-clock of one run of Python with these arguments."""
    start = time.perf_counter()
    subprocess.run(
        [sys.executable, *arguments],
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    return time.perf_counter() - start


def repeated(*arguments: str) -> dict[str, float]:
    """The spread over the rounds."""
    return spread([seconds("-m", "qbench", *arguments) for _ in range(ROUNDS)])


def sweep_seconds(folder: Path, *overrides: str) -> float:
    """Wall-clock of one sweep into an empty folder."""
    return seconds("-m", "qbench", "sweep", *overrides, f"out={folder}")


def many_records(sweep: Path, folder: Path) -> int:
    """Write the sweep's runs once for each of many seeds; returns the number of records."""
    manifest = manifests.read_manifest(sweep)
    for row in manifest["rows"]:
        (run,) = row["runs"]
        old = layout.run_folder(layout.root_of_sweep(sweep, manifest), run["id"])
        record = json.loads((old / layout.RECORD).read_text())
        config = json.loads((old / layout.CONFIG).read_text())
        with (old / layout.HISTORY).open() as file:
            history = list(csv.DictReader(file))
        with np.load(old / layout.PREDICTIONS) as arrays:
            predictions = dict(arrays)
        row["runs"] = []
        for seed in range(SEEDS):
            name = records.content_id([run["id"], seed])
            row["runs"].append({**run, "seed": seed, "id": name})
            records.write_run(
                folder,
                name,
                config={**config, "seed": seed},
                record={**record, "run": name, "seed": seed},
                history=history,
                predictions=predictions,
            )
    runs = layout.runs_seen_from(folder, folder)
    manifests.write_manifest(folder, {**manifest, "seeds": list(range(SEEDS)), "runs": runs})
    return SEEDS * len(manifest["rows"])


def jobs_of(sweep: Path) -> Iterator[dict[str, Any]]:
    """The lines of a sweep's log of jobs."""
    for line in layout.jobs_log(sweep).read_text().splitlines():
        yield json.loads(line)


def breakdown(sweep: Path, whole: float) -> dict[str, float]:
    """Seconds of a sweep by what they were spent on.

    Steps are counted at the pace of each phase once compiled; what training took beyond that is
    tracing and compiling. What is left at the end is planning, data, models and records.
    """
    every = [json.loads(p.read_text()) for p in layout.record_files(sweep)]
    jobs = list(jobs_of(sweep))
    paces = [pace for record in every for pace in record["step_seconds"].values()]
    steps = sum(job["steps"] for job in jobs) * float(np.median(paces))
    parts = {
        "import of TensorFlow and Keras": seconds("-c", "import tensorflow, keras"),
        "training steps": steps,
        "tracing and compiling": sum(job["train_seconds"] for job in jobs) - steps,
        "evaluation": sum(record["seconds"]["evaluate"] for record in every),
        "tables and figures": seconds("-m", "qbench", "report", str(sweep)),
    }
    return {**parts, "the rest": whole - sum(parts.values())}


def main() -> None:
    """Print the figures and keep them."""
    result: dict[str, Any] = {"--help": repeated("--help"), "plan": repeated("plan")}
    with tempfile.TemporaryDirectory() as place:
        sweep, alone = Path(place) / "digits", Path(place) / "alone"
        whole = sweep_seconds(sweep, "study=digits")
        default = {
            "`qbench sweep`, right after it": sweep_seconds(Path(place) / "default"),
            "`qbench sweep deploy.enabled=false`": sweep_seconds(
                Path(place) / "simulated", "deploy.enabled=false"
            ),
        }
        one_worker = sweep_seconds(alone, "study=digits", "workers=1")
        parts = breakdown(alone, one_worker)
        count = many_records(sweep, Path(place) / "many")
        result[f"report, {count:,} records"] = repeated("report", str(Path(place) / "many"))
    for name, row in result.items():
        print(f"qbench {name:<24} median {row['median']:.2f} s, best {row['best']:.2f} s")
    for name, taken in default.items():
        print(f"{name}: {taken:.1f} s, {taken / whole:.2f} times qbench sweep study=digits")
    print(f"qbench sweep study=digits: {whole:.1f} s; with workers=1 {one_worker:.1f} s, of these:")
    for name, taken in parts.items():
        print(f"    {name:<32}{taken:6.1f} s")
    sweeps = {"seconds": whole, "one_worker": one_worker, "parts": parts, "default": default}
    figures = {"rounds": ROUNDS, "seconds": result, "sweep": sweeps}
    save("commands", "python benchmarks/commands.py", figures)


if __name__ == "__main__":
    main()
