"""Processes that a launcher started end with it."""

from __future__ import annotations

import multiprocessing
import os
import threading
import time
from functools import lru_cache

_POLL_SECONDS = 0.5


@lru_cache(maxsize=1)
def leave_with_parent() -> None:
    """End this process soon after the one that started it is gone, if joblib started it.

    joblib's processes would wait five minutes for work from a sweep that was killed, each with a
    worker that holds memory and perhaps a segment's lock. Ray and Slurm end theirs themselves.
    """
    if multiprocessing.current_process().name.startswith("Loky"):
        threading.Thread(target=_watch, args=(os.getppid(),), daemon=True).start()


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_POLL_SECONDS)
    os._exit(1)
