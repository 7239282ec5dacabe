"""The worker process: reads requests from standard input, one line of JSON each.

`{"kind": ..., "folder": ..., "arguments": {...}}` is a request (`qbench.engine.requests`). Relative
paths of code from outside begin in the folder. The process serves many requests, so TensorFlow is
imported once and steps are compiled once. It reports progress in lines of JSON on standard output;
results go to disk. When its parent ends for any reason, its standard input ends, and then the
process ends.
"""

from __future__ import annotations

import argparse
import json
import os
import queue
import signal
import sys
import threading
from dataclasses import asdict
from typing import Any, TextIO

from qbench.base import device
from qbench.base.errors import DiskFull, disk_full


def main() -> None:
    """Serve jobs until standard input ends."""
    parser = argparse.ArgumentParser(prog="qbench worker")
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--deterministic", action="store_true")
    arguments = parser.parse_args()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent handles Ctrl-C
    told = _keep_stdout()
    jobs: queue.Queue[str] = queue.Queue()
    threading.Thread(target=_read, args=(jobs,), daemon=True).start()
    # If there is a GPU, TensorFlow launches its kernels from separate threads.
    os.environ.setdefault("TF_GPU_THREAD_MODE", "gpu_private")
    try:
        device.start(arguments.threads, arguments.deterministic)
    except OSError as error:
        if not (full := disk_full(error)):
            raise
        _tell(told, event="full", message=str(full))
        return
    _tell(told, event="hello", kind=device.kind(), name=device.name())
    while True:
        _serve(jobs.get(), told)


def _keep_stdout() -> TextIO:
    """The real standard output, for events; everything else goes to standard error."""
    told = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    return told


def _read(jobs: queue.Queue[str]) -> None:
    for line in sys.stdin:
        jobs.put(line.strip())
    os._exit(0)


def _tell(told: TextIO, **event: Any) -> None:
    try:
        told.write(json.dumps(event) + "\n")
        told.flush()
    except BrokenPipeError:
        os._exit(1)


def _serve(line: str, told: TextIO) -> None:
    """Carry out the request in one line of standard input, and report the result."""
    from qbench.base.outside import session
    from qbench.engine.asking import Listener
    from qbench.engine.requests import carry_out

    listener = Listener(
        report=lambda new, loss: _tell(told, event="progress", new=new, loss=loss),
        say=lambda text: _tell(told, event="say", text=text),
    )
    request = json.loads(line)
    try:
        with session(request["folder"]):
            failure = carry_out(request["kind"], listener, **request["arguments"])
    except DiskFull as full:
        _tell(told, event="full", message=str(full))
    else:
        _tell(told, **({"event": "failed", **asdict(failure)} if failure else {"event": "done"}))


if __name__ == "__main__":
    main()
