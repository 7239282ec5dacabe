"""Seconds of `qbench plan` against the number of runs: few rows with many seeds, and many rows.

python benchmarks/planning.py
"""

from __future__ import annotations

import subprocess
import sys
import time

from common import save, spread

ROUNDS = 5


def seconds(arguments: list[str]) -> list[float]:
    """The time of each round of the command as a whole, with the start of Python."""
    times = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        subprocess.run(
            [sys.executable, "-m", "qbench", "plan", "study=digits", *arguments],
            check=True,
            stdout=subprocess.DEVNULL,
        )
        times.append(time.perf_counter() - start)
    return times


def of_seeds(number: int) -> list[str]:
    """Arguments for the 16 rows of the default design, each with this number of seeds."""
    return [f"seeds=[{','.join(map(str, range(number)))}]"]


def of_rows(levels: int) -> list[str]:
    """Arguments for a factorial design of four factors, each with this number of levels."""
    steps = range(1, levels + 1)
    factors = {
        "train.learning_rate": [f"{step / 100:g}" for step in steps],
        "train.weight_decay": [f"{step / 10_000:g}" for step in steps],
        "quant.bits": [str(step + 1) for step in steps],
        "quant.delay": [f"{step / (levels + 1):.3f}" for step in steps],
    }
    return ["design=factorial", *(f"{key}={','.join(values)}" for key, values in factors.items())]


def main() -> None:
    """Print the table and keep its figures."""
    plans = {f"{16 * seeds:,}": of_seeds(seeds) for seeds in (1, 6, 63, 625)}
    plans |= {f"{levels**4:,} in as many rows": of_rows(levels) for levels in (2, 5, 10)}
    result = {}
    for runs, arguments in plans.items():
        found = result[runs] = spread(seconds(arguments))
        print(f"runs: {runs:<24} {found['median']:.2f} s, best {found['best']:.2f} s")
    save("planning", "python benchmarks/planning.py", {"rounds": ROUNDS, "seconds": result})


if __name__ == "__main__":
    main()
