"""Runs a file with random bytes changed, each time in a process of its own; prints what happened.

    python damaged_files.py FILE COUNT

A line for each: the name of the exception, `signal`, or `run` where nothing was noticed.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import numpy as np

from qbench.deploy.lite import KERNELS, LiteFile


def damaged(content: bytes, number: int) -> bytes:
    """The content with a few bytes changed."""
    generator = np.random.default_rng(number)
    changed = bytearray(content)
    for place in generator.integers(0, len(content), 1 + number % 3):
        changed[place] = generator.integers(256)
    return bytes(changed)


def outcome(content: bytes) -> str:
    """What running it once on every kernel path comes to."""
    try:
        for kernels in KERNELS:
            file = LiteFile(content, kernels)
            file.fill(1)
            file.invoke()
    except Exception as error:
        kinds = [kind.__name__ for kind in type(error).__mro__]
        return next(kind for kind in ("QbenchError", "ValueError", *kinds) if kind in kinds)
    return "run"


def apart(content: bytes) -> str:
    """The same in a child, which may not survive it."""
    reads, writes = os.pipe()
    child = os.fork()
    if child == 0:
        signal.alarm(20)
        os.write(writes, outcome(content).encode())
        os._exit(0)
    os.close(writes)
    os.waitpid(child, 0)
    with os.fdopen(reads) as told:
        return told.read() or "signal"


def main() -> None:
    """Print the outcomes."""
    content = Path(sys.argv[1]).read_bytes()
    for number in range(int(sys.argv[2])):
        print(apart(damaged(content, number)), flush=True)


if __name__ == "__main__":
    main()
