"""Measures the time of one invocation of converted files; the files are invoked in turn."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qbench.base import checks, environment
from qbench.base.errors import QbenchError
from qbench.base.reasons import reason
from qbench.deploy.lite import KERNELS, LiteFile

REFERENCE = "float"
FEWEST_ROUNDS = 3

Clock = Callable[[], float]


@dataclass(frozen=True, kw_only=True)
class LatencySettings:
    """The settings of a measurement.

    Attributes:
        threads: numbers of threads; each is measured in turn.
        kernels: names in `qbench.deploy.lite.KERNELS`.
        batch: images in one invocation.
        runs: number of rounds; each round invokes every file.
        warmup: number of rounds before the measurement, which do not count.
        seconds: for a kernel path and a number of threads, no further round begins after this time.
            At least three rounds are made. Warming up takes at most half of this time.
    """

    threads: tuple[int, ...] = (1, 2, 4)
    kernels: tuple[str, ...] = tuple(KERNELS)
    batch: int = 1
    runs: int = 50
    warmup: int = 5
    seconds: float = 10.0

    def __post_init__(self) -> None:
        """Checks every value."""
        if not isinstance(self.threads, tuple) or not self.threads:
            raise checks.wrong("threads", self.threads, "a list of whole numbers")
        for count in self.threads:
            checks.whole("threads", count, 1, 1024)
        checks.list_of("kernels", self.kernels, KERNELS)
        checks.whole("batch", self.batch, 1)
        checks.whole("runs", self.runs, 1)
        checks.whole("warmup", self.warmup, 1)
        checks.number("seconds", self.seconds, 0)


def measure(
    files: Mapping[str, bytes],
    settings: LatencySettings,
    inputs: Mapping[str, NDArray[Any]] | None = None,
    clock: Clock = time.perf_counter,
) -> dict[str, Any]:
    """Milliseconds of each file on each kernel path with each number of threads.

    Args:
        files: contents by name. If one name is `float`, the other files are compared with it.
        settings: what to measure.
        inputs: by name of a file with one input, its inputs (batch, H, W, C), see `LiteFile.codes`;
            None for made-up values. The time of an invocation does not depend on them.
        clock: returns seconds.

    Returns:
        `batch`, `cores`, `processor`, `bytes` by file, and `rows`. A row has `kernels`, `threads`,
        `runs` (number of rounds), `milliseconds` by file (see `spread`) and `ratio` by file. In
        each round the time of a file is divided by the time of the file `float`; the ratio is the
        median over the rounds. If a kernel path cannot run a file, the row has `error` in place of
        the values.

    Raises:
        QbenchError: no kernel path can run the files.
    """
    rows = []
    known = inputs or {}
    for kernels in settings.kernels:
        for threads in settings.threads:
            row = {"kernels": kernels, "threads": threads}
            try:
                invoke = {
                    name: _ready(content, kernels, threads, settings.batch, known.get(name))
                    for name, content in files.items()
                }
                taken = timed(invoke, settings, clock)
            except (QbenchError, RuntimeError, ValueError) as error:
                rows.append({**row, "error": reason(error)})
                continue
            rows.append({**row, **compared(taken)})
    if all("error" in row for row in rows):
        raise QbenchError(f"the runtime cannot run this file: {rows[0]['error']}")
    return {
        "batch": settings.batch,
        "cores": os.cpu_count(),
        "processor": environment.processor(),
        "bytes": {name: len(content) for name, content in files.items()},
        "rows": rows,
    }


def _ready(
    content: bytes, kernels: str, threads: int, batch: int, inputs: NDArray[Any] | None
) -> Callable[[], None]:
    file = LiteFile(content, kernels, threads)
    if inputs is None:
        file.fill(batch)
    else:
        file.load(file.codes(inputs))
    return file.invoke


def timed(
    invoke: Mapping[str, Callable[[], None]], settings: LatencySettings, clock: Clock
) -> dict[str, list[float]]:
    """Measure the seconds of one invocation of every file in each round.

    Every second round goes through the files in reverse order, so that other load on the machine
    affects all of them. An invocation that is not measured comes before each measured one: it
    replaces the cache contents of the previous file, and waits until the threads of the previous
    file stop spinning.
    """
    start = clock()
    for number in range(settings.warmup):
        if number and clock() - start >= settings.seconds / 2:
            break
        for call in invoke.values():
            call()
    taken: dict[str, list[float]] = {name: [] for name in invoke}
    start = clock()
    for number in range(settings.runs):
        if number >= FEWEST_ROUNDS and clock() - start >= settings.seconds:
            break
        for name in list(invoke)[:: -1 if number % 2 else 1]:
            invoke[name]()
            begun = clock()
            invoke[name]()
            taken[name].append(clock() - begun)
    return taken


def compared(taken: Mapping[str, Sequence[float]]) -> dict[str, Any]:
    """The values of a row from the seconds of each round; see `measure`."""
    reference = taken.get(REFERENCE)
    ratios = {
        name: statistics.median(a / b for a, b in zip(seconds, reference, strict=True))
        for name, seconds in taken.items()
        if reference and name != REFERENCE
    }
    return {
        "runs": len(next(iter(taken.values()))),
        "milliseconds": {name: spread(seconds) for name, seconds in taken.items()},
        "ratio": ratios,
    }


def spread(seconds: Sequence[float]) -> dict[str, float]:
    """`median`, `p90` and `minimum` in milliseconds; p90 is interpolated between two rounds."""
    median, p90 = np.quantile(seconds, [0.5, 0.9])
    return {"median": 1e3 * median, "p90": 1e3 * p90, "minimum": 1e3 * min(seconds)}
