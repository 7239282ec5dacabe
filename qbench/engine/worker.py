"""The process that trains: reads requests from standard input, a line of JSON each.

`{"job": path}` does a job, `{"check": models}` builds models to see whether they can be built,
`{"convert": folder, "changes": values, "calibration": how}` converts a finished run, and
`{"trial": experiment}` an untrained network of its kind.

It lives for many jobs, so that TensorFlow is imported and steps are compiled once. What happens is
told in lines of JSON on standard output; results go to disk. When its parent dies, however that
may be, its standard input ends and so does the process.
"""

from __future__ import annotations

import argparse
import json
import os
import queue
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, TextIO

from qbench.base import device
from qbench.base.errors import DiskFull, NotConvertible, QbenchError, disk_full


def main() -> None:
    """Serve jobs until standard input ends."""
    parser = argparse.ArgumentParser(prog="qbench worker")
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--deterministic", action="store_true")
    arguments = parser.parse_args()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    told = _keep_stdout()
    jobs: queue.Queue[str] = queue.Queue()
    threading.Thread(target=_read, args=(jobs,), daemon=True).start()
    # Kernels are launched from threads of their own, wherever there is a GPU.
    os.environ.setdefault("TF_GPU_THREAD_MODE", "gpu_private")
    try:
        device.start(arguments.threads, arguments.deterministic)
    except OSError as error:
        if not (full := disk_full(error)):
            raise
        _tell(told, event="failed", message=str(full), full=True)
        return
    _tell(told, event="hello", kind=device.kind(), name=device.name())
    while True:
        _serve(jobs.get(), told)


def _keep_stdout() -> TextIO:
    """The real standard output, for events; whatever else is printed goes to standard error."""
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


def check_models(models: list[Any], say: Callable[[str], None]) -> None:
    """Build models given as (name, arguments, data set, resolution).

    Args:
        models: which.
        say: told which kernels stay float whatever is quantized.

    Raises:
        QbenchError: one of them cannot be built, or qbench cannot train it so that it repeats.
    """
    from qbench.data import DATASETS
    from qbench.data.preprocessing import input_shape
    from qbench.models import build_model
    from qbench.quantize.kept_float import warnings
    from qbench.training.repeatable import check_builds, check_repeatable

    for name, arguments, data, resolution in models:
        source = DATASETS[data]
        shape = input_shape(source.shape, resolution)
        build = partial(build_model, name, arguments, shape, source.task(source.classes))
        model = build()
        check_repeatable(name, model, build)
        check_builds(name, model, build)
        for text in dict.fromkeys(warnings(model)):
            say(text)


def _serve(line: str, told: TextIO) -> None:
    """Do what one line of standard input asks for and tell how it went."""
    from qbench.base.reasons import summary
    from qbench.config.experiment import Experiment
    from qbench.engine.execute import execute
    from qbench.engine.spec import JobSpec
    from qbench.storage.records import read_json

    request = json.loads(line)
    try:
        if "check" in request:
            check_models(request["check"], lambda text: _tell(told, event="say", text=text))
        elif "convert" in request:
            from qbench.engine.exporting import convert_folder

            folder, calibration = Path(request["convert"]), request["calibration"]
            convert_folder(folder, request["changes"], calibration)
        elif "trial" in request:
            from qbench.engine.exporting import try_conversion

            try_conversion(Experiment.from_config(request["trial"]))
        else:
            path = Path(request["job"])
            execute(
                JobSpec.from_config(read_json(path, "a job")),
                path.parent.parent,
                lambda new, loss: _tell(told, event="progress", new=new, loss=loss),
                lambda text: _tell(told, event="say", text=text),
            )
    except Exception as raised:
        error = disk_full(raised) or raised
        is_ours = isinstance(error, QbenchError)
        _tell(
            told,
            event="failed",
            message=str(error) if is_ours else summary(error),
            traceback=traceback.format_exc(),
            final=is_ours,
            export=error.export if isinstance(error, NotConvertible) else "",
            full=isinstance(error, DiskFull),
        )
    else:
        _tell(told, event="done")


if __name__ == "__main__":
    main()
