"""Ends processes of a launcher when the sweep has ended."""

from __future__ import annotations

import multiprocessing
import os
import threading
import time
from functools import lru_cache

_POLL_SECONDS = 0.5
_SWEEP = "QBENCH_SWEEP_PID"


def announce() -> None:
    """Store the id of this process in the environment of the processes that it will start."""
    os.environ[_SWEEP] = str(os.getpid())


@lru_cache(maxsize=1)
def leave_with_parent() -> None:
    """End this process soon after its sweep has ended, if joblib started it.

    If a sweep is killed, joblib's processes wait five minutes for work. Meanwhile each has a worker
    that holds memory and perhaps the lock of a segment. Ray and Slurm end their processes
    themselves. The sweep may already have ended when the first job arrives. A process that gets no
    job holds nothing, and waits.
    """
    sweep = os.environ.get(_SWEEP)
    if sweep and multiprocessing.current_process().name.startswith("Loky"):
        threading.Thread(target=_watch, args=(int(sweep),), daemon=True).start()


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_POLL_SECONDS)
    os._exit(1)
