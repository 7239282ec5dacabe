"""Seconds of the exhaustive search of thresholds for the kernels of ResNet-50 on a 10 x 10 grid.

python benchmarks/thresholds.py

The kernels have the shapes of ResNet-50 with 10 classes and normal values: 23.5 million weights.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator

import numpy as np
from common import save, spread

from qbench.codes.threshold_search import search
from qbench.codes.vectors import cut_of

ROUNDS = 3
WORKERS = 2
PHI = 4
AIM = 60.0
"""The most seconds that the search may take."""

CLASSES = 10
STAGES = ((64, 3), (128, 4), (256, 6), (512, 3))


def shapes() -> Iterator[tuple[int, ...]]:
    """The shapes of the kernels of ResNet-50: (height, width, channels, filters)."""
    yield 7, 7, 3, 64
    channels = 64
    for width, blocks in STAGES:
        for block in range(blocks):
            yield 1, 1, channels, width
            yield 3, 3, width, width
            yield 1, 1, width, 4 * width
            if block == 0:
                yield 1, 1, channels, 4 * width
            channels = 4 * width
    yield channels, CLASSES


def seconds(length: int, scale: str) -> list[float]:
    """The time of each round over all kernels."""
    random = np.random.default_rng(0)
    kernels = [random.normal(size=shape).astype(np.float32) for shape in shapes()]
    times = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        for kernel in kernels:
            search(kernel, cut_of(kernel.shape, length), PHI, scale, workers=WORKERS)
        times.append(time.perf_counter() - start)
    return times


def main() -> None:
    """Print the table and keep its figures."""
    rows = []
    for length in (2, 16, 64):
        for scale in ("equation_9", "least_squares"):
            found = spread(seconds(length, scale))
            rows.append({"length": length, "scale": scale, "seconds": found})
            print(f"N={length:<3} {scale:<14} {found['median']:.1f} s", flush=True)
    weights = sum(map(math.prod, shapes()))
    facts = {"rounds": ROUNDS, "workers": WORKERS, "weights": weights, "aim": AIM, "phi": PHI}
    save("thresholds", "python benchmarks/thresholds.py", {**facts, "rows": rows})


if __name__ == "__main__":
    main()
