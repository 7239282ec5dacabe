"""Seconds of the search of thresholds over as many weights as ResNet-50 has, on a grid of 10 x 10.

python benchmarks/thresholds.py
"""

from __future__ import annotations

import time

import numpy as np
from common import save, spread

from qbench.codes.threshold_search import search
from qbench.codes.vectors import cut_of

ROUNDS = 3
WORKERS = 2
# 23,457,792 values; the kernels of ResNet-50 with 10 classes have 23,475,392.
LAYERS, SHAPE = 46, (1, 1, 512, 996)


def seconds(length: int, phi: int, scale: str) -> list[float]:
    """The time of each round over all layers."""
    random = np.random.default_rng(0)
    kernels = [random.normal(size=SHAPE).astype(np.float32) for _ in range(LAYERS)]
    times = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        for kernel in kernels:
            search(kernel, cut_of(SHAPE, length), phi, scale, workers=WORKERS)
        times.append(time.perf_counter() - start)
    return times


def main() -> None:
    """Print the table and keep its figures."""
    result = {}
    for length in (2, 16, 64):
        for scale in ("equation_9", "least_squares"):
            name = f"N={length}, {scale}"
            found = result[name] = spread(seconds(length, 4, scale))
            print(f"{name:<24} {found['median']:.1f} s, best {found['best']:.1f} s", flush=True)
    save(
        "thresholds",
        "python benchmarks/thresholds.py",
        {"rounds": ROUNDS, "workers": WORKERS, "seconds": result},
    )


if __name__ == "__main__":
    main()
