"""How a contender talks to benchmarks/step.py; needs nothing but the standard library.

A contender is a process: `python CONTENDER.py '{"network": ..., "batch": ..., ...}'`. It prints
`ready {...}` once everything is compiled and warm, and then, for every line `N` on its standard
input, does N training steps and prints the seconds they took. For a line `rest` it gives the memory
back that it does not need until the next step: all contenders are in memory at the same time.
"""

from __future__ import annotations

import ctypes
import json
import os
import sys
import time
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

WARM_UP = 5
REPOSITORY = Path(__file__).resolve().parents[2]


def task() -> dict[str, Any]:
    """What to train: network, batch, side, threads, variant.

    Thread counts are set in the environment here, before a library is imported.
    """
    wanted = json.loads(sys.argv[1])
    os.environ["OMP_NUM_THREADS"] = str(wanted["threads"])
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    return dict(wanted)


def serve(steps: Callable[[int], float], packages: tuple[str, ...], **facts: Any) -> None:
    """Warm up, say so, and train on demand.

    Args:
        steps: does so many steps, waits until they are done, and returns the last loss.
        packages: distributions whose versions are reported.
        facts: what else is worth knowing, such as the number of parameters.
    """
    steps(WARM_UP)
    found = {}
    for name in packages:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    print("ready", json.dumps({"versions": found, **facts}), flush=True)
    for line in sys.stdin:
        if line.strip() == "rest":
            _give_memory_back()
            print("rested", flush=True)
            continue
        start = time.perf_counter()
        loss = steps(int(line))
        seconds = time.perf_counter() - start
        if loss != loss:
            raise SystemExit("the loss is not a number: what was timed is not a training step")
        print("took", seconds, flush=True)


def _give_memory_back() -> None:
    """What glibc keeps of freed memory; elsewhere nothing."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def start_tensorflow(threads: int) -> Any:
    """TensorFlow with as many threads as qbench starts it with."""
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(threads)
    return tf


def batch_of(wanted: dict[str, Any]) -> tuple[Any, Any]:
    """One batch of noise and labels: (B, side, side, 3) uint8 and (B,) int64, the same for all."""
    import numpy as np

    generator = np.random.default_rng(0)
    shape = (wanted["batch"], wanted["side"], wanted["side"], 3)
    images = generator.integers(0, 256, shape, dtype=np.uint8)
    return images, generator.integers(0, 10, wanted["batch"])
