"""Workers: separate processes, or this process, behind one interface."""

from __future__ import annotations

import atexit
import json
import subprocess
import sys
from contextlib import suppress
from typing import Any

from qbench.base.errors import DiskFull
from qbench.base.keras_settings import check_keras_settings
from qbench.base.outside import folder
from qbench.config.experiment import Experiment
from qbench.engine.asking import Failure, Listener, Worker, WorkerDied
from qbench.engine.gpus import visible_gpu
from qbench.engine.requests import carry_out
from qbench.planning.execution import Engine


class InPlaceWorker:
    """This process as a worker, for debuggers."""

    def __init__(self, threads: int, deterministic: bool) -> None:
        """See `qbench.base.device.start` for the arguments."""
        self._start = threads, deterministic

    @property
    def device(self) -> dict[str, str]:
        """See `Worker`."""
        from qbench.base import device

        device.start(*self._start)
        return {"kind": device.kind(), "name": device.name()}

    def ask(self, kind: str, listener: Listener, **arguments: Any) -> Failure | None:
        """See `Worker`."""
        from qbench.base import device

        device.start(*self._start)
        return carry_out(kind, listener, **arguments)


class ProcessWorker:
    """A process that serves many requests; it starts when the object is created."""

    def __init__(self, threads: int, deterministic: bool) -> None:
        """See `qbench.engine.worker` for the arguments.

        Raises:
            QbenchError: Keras' settings are not those that qbench needs.
        """
        check_keras_settings()  # here the error is one sentence; in the worker it is a traceback
        command = [sys.executable, "-m", "qbench.engine.worker", "--threads", str(threads)]
        self._process = subprocess.Popen(
            command + ["--deterministic"] * deterministic,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
            env=visible_gpu(),
        )
        self._device: dict[str, str] | None = None

    @property
    def device(self) -> dict[str, str]:
        """See `Worker`; waits until the process has started."""
        if self._device is None:
            hello = self._event()
            self._device = {"kind": hello["kind"], "name": hello["name"]}
        return self._device

    def alive(self) -> bool:
        """Whether the process runs."""
        return self._process.poll() is None

    def ask(self, kind: str, listener: Listener, **arguments: Any) -> Failure | None:
        """See `Worker`. If an exception interrupts the request, the process is ended."""
        try:
            return self._asked(kind, listener, **arguments)
        except DiskFull:
            raise
        except BaseException:
            self.close()
            raise

    def _asked(self, kind: str, listener: Listener, **arguments: Any) -> Failure | None:
        _ = self.device
        assert self._process.stdin is not None
        try:
            request = {"kind": kind, "folder": str(folder()), "arguments": arguments}
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
        except OSError as error:
            raise WorkerDied("it was gone before the job was handed over") from error
        while True:
            event = self._event()
            happened = event.pop("event")
            if happened == "progress":
                listener.report(event["new"], event["loss"])
            elif happened == "say":
                listener.say(event["text"])
            else:
                return Failure(**event) if happened == "failed" else None

    def _event(self) -> dict[str, Any]:
        """The next event that the process reports.

        Other lines are skipped: Python may print them before the process takes over its standard
        output.

        Raises:
            WorkerDied: the process has ended.
            DiskFull: the process reports a full disk.
        """
        assert self._process.stdout is not None
        while (line := self._process.stdout.readline()).endswith("\n"):
            event = _event_in(line)
            if event.get("event") == "full":
                raise DiskFull(event["message"])
            if "event" in event:
                return event
        code = self._process.wait()  # the output has ended, perhaps within a line
        raise WorkerDied(f"by signal {-code}" if code < 0 else f"with exit code {code}")

    def close(self) -> None:
        """End the process."""
        with suppress(OSError):
            if self._process.stdin is not None:
                self._process.stdin.close()
        self._process.kill()
        self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()


def _event_in(line: str) -> dict[str, Any]:
    """The event in a line of output; empty if the line is not an event."""
    try:
        event = json.loads(line)
    except ValueError:
        return {}
    return event if isinstance(event, dict) else {}


_processes: dict[tuple[int, bool], ProcessWorker] = {}


def worker_for(experiment: Experiment, isolate: bool) -> Worker:
    """The worker of this process for an experiment.

    Args:
        experiment: the worker has its number of threads and its determinism.
        isolate: true for a worker process, which is started if there is none or if it has died;
            false for this process.

    Raises:
        QbenchError: Keras' settings are not those that qbench needs.
    """
    key = experiment.threads, experiment.deterministic
    if not isolate:
        return InPlaceWorker(*key)
    if key in _processes and not _processes[key].alive():
        _processes.pop(key).close()
    if key not in _processes:
        _processes[key] = ProcessWorker(*key)
    return _processes[key]


def jobs_at_once(engine: Engine) -> int:
    """The number of jobs that may run at the same time; without worker processes it is 1."""
    return engine.workers if engine.isolate else 1


@atexit.register
def close_workers() -> None:
    """End all worker processes of this process."""
    while _processes:
        _processes.popitem()[1].close()
