"""Seconds of `qbench plan` against the number of runs.

python benchmarks/planning.py
"""

from __future__ import annotations

import subprocess
import sys
import time

from common import save, spread

ROUNDS = 5


def main() -> None:
    """Print the table, the command as a whole with the start of Python, and keep its figures."""
    result = {}
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
        result[f"{16 * seeds:,}"] = spread(times)
        print(f"{16 * seeds:>6,} runs: {spread(times)['median']:.2f} s, best {min(times):.2f} s")
    save("planning", "python benchmarks/planning.py", {"rounds": ROUNDS, "seconds": result})


if __name__ == "__main__":
    main()
