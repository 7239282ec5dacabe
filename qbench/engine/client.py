"""The launcher's side of the workers: hands a job over, follows it, tries again if it dies."""

from __future__ import annotations

import atexit
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from qbench.base.errors import DiskFull, QbenchError, disk_full
from qbench.base.keras_settings import check_keras_settings
from qbench.base.reasons import summary
from qbench.engine import run_record
from qbench.engine.gpus import visible_gpu
from qbench.engine.progress import run_bar, say
from qbench.engine.spec import JobSpec
from qbench.storage import records
from qbench.storage.store import Store

Event = dict[str, Any]


class WorkerDied(Exception):
    """A worker process ended in the middle of a job."""


class Worker:
    """A worker process; started when it is made."""

    def __init__(self, threads: int, deterministic: bool) -> None:
        """See `qbench.engine.worker` for the arguments.

        Raises:
            QbenchError: Keras' settings are not those that qbench needs.
        """
        check_keras_settings()  # here, where it can still be said in a sentence
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
        """Kind and name of the device that the worker found; waits until it has started."""
        if self._device is None:
            hello = self._event()
            self._device = {"kind": hello["kind"], "name": hello["name"]}
        return self._device

    def alive(self) -> bool:
        """Whether the process runs."""
        return self._process.poll() is None

    def ask(self, **request: Any) -> Iterator[Event]:
        """Hand a request over (see `qbench.engine.worker`); yields its events to the last one.

        Raises:
            WorkerDied: the process ended.
            DiskFull: there was no room for what the worker was to write.
        """
        _ = self.device
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
        except OSError as error:
            raise WorkerDied("it was gone before the job was handed over") from error
        while True:
            event = self._event()
            yield event
            if event["event"] in ("done", "failed"):
                return

    def _event(self) -> Event:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line.endswith("\n"):  # nothing, or what it was about to say
            code = self._process.wait()
            raise WorkerDied(f"by signal {-code}" if code < 0 else f"with exit code {code}")
        event: Event = json.loads(line)
        if event.get("full"):
            raise DiskFull(event["message"])
        return event

    def close(self) -> None:
        """End the process."""
        with suppress(OSError):
            if self._process.stdin is not None:
                self._process.stdin.close()
        self._process.kill()
        self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()


_workers: dict[tuple[int, bool], Worker] = {}


def worker_for(threads: int, deterministic: bool) -> Worker:
    """This process' worker of a kind, started if it is not there or has died."""
    key = (threads, deterministic)
    if key in _workers and not _workers[key].alive():
        _workers.pop(key).close()
    if key not in _workers:
        _workers[key] = Worker(threads, deterministic)
    return _workers[key]


@atexit.register
def close_workers() -> None:
    """End all workers of this process."""
    while _workers:
        _workers.popitem()[1].close()


STOP = "stop"
"""A file beside the jobs' files: no further job is begun while it is there."""


def do_job(path: Path) -> str:
    """Do one job of a sweep; what happens to it is recorded and not raised.

    Args:
        path: the job's file.

    Returns:
        `done`; `failed` after the failure has been recorded; `stopped` where the sweep has been
        stopped before the job was begun.

    Raises:
        DiskFull: there is no room for what comes out, nor for the record of a failure. No further
            job of the sweep is begun: what it trains would be lost as well.
    """
    stop = path.parent / STOP
    if stop.exists():
        return "stopped"
    if not path.exists():
        return "done"  # by another sweep in this folder, which has cleared up
    spec = JobSpec.from_config(records.read_json(path, "a job"))
    try:
        error = _failed_trunk(spec) or _tried(spec, path)
        if error is None:
            return "done"
        _record_failure(spec, error)
    except DiskFull:
        with suppress(OSError):
            stop.touch()
        raise
    if spec.policy.fail_fast:
        stop.touch()
    return "failed"


def _tried(spec: JobSpec, path: Path) -> dict[str, str] | None:
    """Try a job as often as its policy says; returns the last error, or None once it is done."""
    retries = spec.policy.retries
    for left in range(retries, -1, -1):
        error = _attempt(spec, path)
        if error is None:
            return None
        if error.pop("final", ""):
            break
        if left:
            say(f"{spec.label}: {error['message']}; tried again")
    return error


def _failed_trunk(spec: JobSpec) -> dict[str, str] | None:
    """Why the job need not be tried: what it builds on has failed in this very sweep."""
    store = Store(spec.root, say)
    for segment in spec.segments:
        failure = store.failure(segment.id)
        if failure and spec.runs:
            return {**failure, "message": f"its trunk failed: {failure['message']}"}
    return None


def _attempt(spec: JobSpec, path: Path) -> dict[str, str] | None:
    """Try a job once; returns the error, or None."""
    steps = spec.segments[-1].end if spec.segments else 0
    with run_bar(steps, spec.label[:30], position=1) as report:
        if not spec.policy.isolate:
            return _here(spec, report)
        experiment = spec.experiment
        try:
            worker = worker_for(experiment.threads, experiment.deterministic)
            for event in worker.ask(job=str(path)):
                if event["event"] == "progress":
                    report(event["new"], event["loss"])
                elif event["event"] == "say":
                    say(event["text"])
                elif event["event"] == "failed":
                    return _error(event)
        except WorkerDied as error:
            return {"message": f"the worker process ended {error}", "traceback": ""}
        except DiskFull:
            raise
        except QbenchError as error:
            return {"message": str(error), "traceback": "", "final": "yes"}
    return None


def _error(event: Event) -> dict[str, str]:
    """What a `failed` event says; `final` means that trying again is of no use."""
    error = {"message": str(event["message"]), "traceback": str(event["traceback"])}
    return error | ({"final": "yes"} if event["final"] else {})


def _here(spec: JobSpec, report: Callable[[int, float], None]) -> dict[str, str] | None:
    """Try a job in this process."""
    import traceback

    from qbench.engine.execute import execute

    try:
        execute(spec, report, say)
    except Exception as error:
        if full := disk_full(error):
            raise full from error
        if isinstance(error, QbenchError):
            return {"message": str(error), "traceback": traceback.format_exc(), "final": "yes"}
        return {"message": summary(error), "traceback": traceback.format_exc()}
    return None


def _record_failure(spec: JobSpec, error: dict[str, str]) -> None:
    """Leave the error where the runs' records would be, or on the trunk's segments."""
    store = Store(spec.root, say)
    if not spec.runs:
        say(f"{spec.label}: failed. {error['message']}")
        for segment in spec.segments:
            if segment.keep and not store.has(segment.id):
                store.mark_failed(segment.id, error)
    for run in spec.runs:
        machine = {"kind": spec.device, "name": spec.device}
        run_record.write_failure(spec.root, run.experiment, run.id, spec.data, machine, error)


@contextmanager
def fresh_worker(threads: int, deterministic: bool) -> Iterator[Worker]:
    """A worker that nobody else uses."""
    worker = Worker(threads, deterministic)
    try:
        yield worker
    finally:
        worker.close()
