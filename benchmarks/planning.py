"""Seconds of `qbench plan` against the number of runs.

python benchmarks/planning.py
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

ROUNDS = 5


def main() -> None:
    """Print the table: the command as a whole, start of Python included."""
    for seeds in (1, 6, 63, 625):
        arguments = [f"seeds=[{','.join(map(str, range(seeds)))}]"]
        times = []
        for _ in range(ROUNDS):
            start = time.perf_counter()
            subprocess.run(
                [sys.executable, "-m", "qbench", "plan", *arguments],
                check=True,
                stdout=subprocess.DEVNULL,
            )
            times.append(time.perf_counter() - start)
        print(
            f"{16 * seeds:>6,} runs: median {statistics.median(times):.2f} s,"
            f" best {min(times):.2f} s"
        )


if __name__ == "__main__":
    main()
