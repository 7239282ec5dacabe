"""Processes that a launcher started end with it."""

from __future__ import annotations

import multiprocessing
import os
import threading
import time
from functools import lru_cache

_POLL_SECONDS = 0.5
_SWEEP = "QBENCH_SWEEP_PID"


def announce() -> None:
    """Tell the processes that this one is about to start who started them."""
    os.environ[_SWEEP] = str(os.getpid())


@lru_cache(maxsize=1)
def leave_with_parent() -> None:
    """End this process soon after the sweep that started it is gone, if joblib started it.

    joblib's processes would wait five minutes for work from a sweep that was killed, each with a
    worker that holds memory and perhaps a segment's lock. Ray and Slurm end theirs themselves. The
    sweep may be gone already when the first job arrives; a process that never gets one holds
    nothing, and waits.
    """
    sweep = os.environ.get(_SWEEP)
    if sweep and multiprocessing.current_process().name.startswith("Loky"):
        threading.Thread(target=_watch, args=(int(sweep),), daemon=True).start()


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_POLL_SECONDS)
    os._exit(1)
