"""Has a training step become slower than the committed figures say?

    python benchmarks/guard.py [NETWORK] [--rounds N]

Measures qbench and Keras 3 again, interleaved, and compares their ratios with those committed in
benchmarks/figures/step.json. A ratio has regressed if it lies above the committed one beyond the
noise of both: the lower end of this run's 95 % interval of the median above the upper quartile of
the committed rounds. Exit code 1 if any has. Ratios, not seconds, so that another machine may judge
too.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence

import numpy as np
from common import FIGURES
from step import CONTENDERS, NETWORKS, TARGETS, measure

TOOLS = ("qbench", "keras")
DRAWS = 2000


def interval_of_median(values: Sequence[float]) -> tuple[float, float]:
    """95 % bootstrap interval of the median, over the rounds."""
    generator = np.random.default_rng(0)
    drawn = generator.choice(np.asarray(values), size=(DRAWS, len(values)))
    low, high = np.quantile(np.median(drawn, axis=1), [0.025, 0.975])
    return float(low), float(high)


def main() -> None:
    """Print every ratio with its verdict."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("network", nargs="?", default="resnet8", choices=list(NETWORKS))
    parser.add_argument("--rounds", type=int, default=15)
    arguments = parser.parse_args()
    stored = json.loads((FIGURES / "step.json").read_text())
    committed = stored["networks"][arguments.network]["ratios"]
    chosen = [c for c in CONTENDERS if c.tool in TOOLS]
    seconds, _ = measure(NETWORKS[arguments.network], chosen, arguments.rounds, stored["threads"])
    regressed = 0
    print(f"{'ratio':<50}{'committed':>10}{'upper quartile':>16}{'now':>8}{'95 % interval':>18}")
    for above, below, _ in TARGETS:
        name = f"{above} / {below}"
        if name not in committed or above not in seconds or below not in seconds:
            continue
        now = [a / b for a, b in zip(seconds[above], seconds[below], strict=True)]
        low, high = interval_of_median(now)
        worse = low > committed[name]["three_quarters"]
        regressed += worse
        print(
            f"{name:<50}{committed[name]['median']:>10.3f}"
            f"{committed[name]['three_quarters']:>16.3f}{np.median(now):>8.3f}"
            f"{f'{low:.3f} to {high:.3f}':>18}{'  REGRESSED' if worse else ''}"
        )
    raise SystemExit(1 if regressed else 0)


if __name__ == "__main__":
    main()
