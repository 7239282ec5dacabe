"""Two processes with one thread each against one process with two threads, the same sweep.

    pip install 'qbench-qat[joblib]'
    python benchmarks/parallel.py [overrides]

Whole wall-clock of `qbench sweep`, interleaved. The tables differ in last bits, since the number of
threads is part of a run's identity.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time

from common import chosen, ratios, save, spread

ROUNDS = int(os.environ.get("ROUNDS", "3"))
CONTENDERS = {
    "1 process, 2 threads": ["threads=2", "workers=1"],
    "2 processes, 1 thread": ["threads=1", "workers=2"],
    "1 process, 1 thread": ["threads=1", "workers=1"],
}


def seconds(arguments: list[str]) -> float:
    """Wall-clock of one sweep into an empty folder."""
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        subprocess.run(
            [sys.executable, "-m", "qbench", "sweep", *arguments, f"out={folder}"],
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        return time.perf_counter() - start


def main() -> None:
    """Print the table and keep its figures, under the study's name."""
    typed = sys.argv[1:]
    study, overrides = chosen(typed)
    taken: dict[str, list[float]] = {name: [] for name in CONTENDERS}
    for _ in range(ROUNDS):
        for name, arguments in CONTENDERS.items():
            taken[name].append(seconds([*arguments, *overrides]))
    reference = taken["1 process, 2 threads"]
    result = {}
    for name, times in taken.items():
        result[name] = {"seconds": spread(times), "ratio": ratios(times, reference)}
        rounds = ", ".join(f"{t:.1f}" for t in times)
        median, ratio = (result[name][part]["median"] for part in ("seconds", "ratio"))
        print(f"{name:<24} median {median:6.1f} s  ratio {ratio:.3f}  ({rounds})")
    shown = ["data.dir=DIR" if text.startswith("data.dir=") else text for text in typed]
    command = " ".join([f"ROUNDS={ROUNDS} python benchmarks/parallel.py", *shown])
    save(f"parallel_{study}", command, {"rounds": ROUNDS, "contenders": result})


if __name__ == "__main__":
    main()
