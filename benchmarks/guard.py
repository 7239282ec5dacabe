"""Has a training step become slower?

    python benchmarks/guard.py --against COMMIT [NETWORK] [--rounds N]
    python benchmarks/guard.py [NETWORK] [--rounds N]

With a commit, every variant of qbench's step is measured in this state and in that of the commit,
interleaved on this machine. A variant has regressed if the 95 % interval of the median ratio lies
above 1.05.

Without a commit, qbench and Keras 3 are measured, and their ratios are compared with those in
benchmarks/figures/step.json. A ratio has regressed if the lower end of its 95 % interval lies above
the upper quartile of the committed rounds. On another processor some ratios differ by more than
that: the faster the convolutions, the larger the share of everything else.

Exit code 1 if anything has regressed.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
from common import FIGURES, HERE
from step import CONTENDERS, NETWORKS, TARGETS, measure

TOOLS = ("qbench", "keras")
DRAWS = 2000
# The order of a graph's nodes alone moves a step by two to three percent, up and down.
ALLOWED = 1.05


def interval_of_median(values: Sequence[float]) -> tuple[float, float]:
    """95 % bootstrap interval of the median, over the rounds."""
    generator = np.random.default_rng(0)
    drawn = generator.choice(np.asarray(values), size=(DRAWS, len(values)))
    low, high = np.quantile(np.median(drawn, axis=1), [0.025, 0.975])
    return float(low), float(high)


@contextmanager
def checked_out(commit: str) -> Iterator[Path]:
    """A folder with the files of a commit."""
    git = ["git", "-C", str(HERE), "worktree"]
    with tempfile.TemporaryDirectory() as parent:
        folder = Path(parent) / "qbench"
        subprocess.run([*git, "add", "--quiet", "--detach", str(folder), commit], check=True)
        try:
            yield folder
        finally:
            subprocess.run([*git, "remove", "--force", str(folder)], check=True)


def against(commit: str, network: str, rounds: int, threads: int) -> int:
    """Print every variant now and at a commit; return how many have regressed."""
    own = [c for c in CONTENDERS if c.tool == "qbench"]
    with checked_out(commit) as folder:
        scripts = folder / HERE.name / "contenders"
        earlier = [replace(c, tool=f"qbench at {commit}", folder=scripts) for c in own]
        both = [one for pair in zip(own, earlier, strict=True) for one in pair]
        seconds, _ = measure(NETWORKS[network], both, rounds, threads)
    regressed = 0
    print(f"{'variant':<34}{'ms now':>9}{'ms then':>9}{'ratio':>8}{'95 % interval':>18}")
    for new, old in zip(own, earlier, strict=True):
        if new.name not in seconds or old.name not in seconds:
            continue
        ratio = [a / b for a, b in zip(seconds[new.name], seconds[old.name], strict=True)]
        low, high = interval_of_median(ratio)
        worse = low > ALLOWED
        regressed += worse
        now, then = (1000 * np.median(seconds[one.name]) for one in (new, old))
        print(
            f"{new.name:<34}{now:>9.1f}{then:>9.1f}{np.median(ratio):>8.3f}"
            f"{f'{low:.3f} to {high:.3f}':>18}{'  REGRESSED' if worse else ''}"
        )
    return regressed


def against_figures(network: str, rounds: int) -> int:
    """Print every ratio with the committed one; return how many have regressed."""
    stored = json.loads((FIGURES / "step.json").read_text())
    committed = stored["networks"][network]["ratios"]
    chosen = [c for c in CONTENDERS if c.tool in TOOLS]
    seconds, _ = measure(NETWORKS[network], chosen, rounds, stored["threads"])
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
    return regressed


def main() -> None:
    """Print everything with its verdict."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("network", nargs="?", default="resnet8", choices=list(NETWORKS))
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--against", metavar="COMMIT", help="measure this commit too")
    asked = parser.parse_args()
    if asked.against:
        regressed = against(asked.against, asked.network, asked.rounds, asked.threads)
    else:
        regressed = against_figures(asked.network, asked.rounds)
    raise SystemExit(1 if regressed else 0)


if __name__ == "__main__":
    main()
