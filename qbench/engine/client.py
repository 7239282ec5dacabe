"""The launcher's side of the workers: sends a job, follows it, tries again if its process dies."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from qbench.base.errors import DiskFull, QbenchError
from qbench.base.reasons import summary
from qbench.engine import run_record
from qbench.engine.asking import Failure, Listener, WorkerDied
from qbench.engine.exporting import make_files
from qbench.engine.progress import run_bar, say
from qbench.engine.spec import JobSpec, opened
from qbench.engine.workers import worker_for
from qbench.storage import layout
from qbench.storage.decisions import Decisions
from qbench.storage.store import Store


@dataclass(frozen=True)
class Ended:
    """How a job ended; plain data that every launcher can return from another process.

    Attributes:
        how: `done`, `failed` or `stopped`, see `do_job`; `full` if a disk was full; `lost` after
            any other exception.
        message: the error in one sentence.
    """

    how: str
    message: str = ""


def end_job(path: Path) -> Ended:
    """Do one job of a sweep, like `do_job`; raises nothing."""
    try:
        return Ended(do_job(path))
    except DiskFull as full:
        return Ended("full", str(full))
    except Exception as error:
        return Ended("lost", summary(error))


def do_job(path: Path) -> str:
    """Do one job of a sweep; its failure is recorded and not raised.

    Args:
        path: the job's file.

    Returns:
        `done`; `failed` after the failure has been recorded; `stopped` if the sweep was stopped
        before the job began.

    Raises:
        DiskFull: there is no room for the results or for the record of a failure. No further job of
            the sweep begins, because its results would be lost too.
    """
    stop = layout.stop_file(layout.root_of_job(path))
    if stop.exists():
        return "stopped"
    if not path.exists():
        return "done"  # another sweep in this folder has done it and removed its file
    with opened(path) as spec:
        return _done(spec, path, stop)


def _done(spec: JobSpec, path: Path, stop: Path) -> str:
    """Do a job; `path` is its file, and `stop` is the file that stops the sweep."""
    try:
        failure = _failed_trunk(spec) or _tried(spec, path)
        if failure:
            _record_failure(spec, failure)
        if not (failure and spec.policy.fail_fast):
            make_files(spec)
        if failure is None:
            return "done"
    except DiskFull:
        with suppress(OSError):
            stop.touch()
        raise
    if spec.policy.fail_fast:
        stop.touch()
    return "failed"


def _tried(spec: JobSpec, path: Path) -> Failure | None:
    """Try a job as often as its policy allows; returns the last failure, or None if it is done."""
    for left in range(spec.policy.retries, -1, -1):
        failure = _attempt(spec, path)
        if failure is None or failure.final:
            break
        if left:
            say(f"{spec.label}: {failure.message}; tried again")
    return failure


def _failed_trunk(spec: JobSpec) -> Failure | None:
    """The failure if the trunk of the job has failed in this sweep; else None."""
    store = Store(spec.root, say)
    for segment in spec.segments:
        failure = store.failure(segment.id)
        if failure and spec.runs:
            message = f"its trunk failed: {failure['message']}"
            return Failure(message, failure["traceback"])
    return None


def _attempt(spec: JobSpec, path: Path) -> Failure | None:
    """Try the training of a job once, if it has any."""
    if not (spec.segments or spec.runs or spec.decision):
        return None
    steps = spec.segments[-1].end if spec.segments else 0
    if spec.decision:
        steps = spec.decision.rule.auto_most
    with run_bar(steps, spec.label[:30], position=1) as report:
        try:
            worker = worker_for(spec.experiment, spec.policy.isolate)
            return worker.ask("job", Listener(report), path=str(path))
        except WorkerDied as error:
            return Failure(f"the worker process ended {error}")
        except DiskFull:
            raise
        except QbenchError as error:
            return Failure(str(error), final=True)


def _record_failure(spec: JobSpec, failure: Failure) -> None:
    """Record the failure for each run of the job, for its decision, or each segment of a trunk."""
    store = Store(spec.root, say)
    error = {"message": failure.message, "traceback": failure.traceback}
    if spec.decision:
        Decisions(spec.root, say).mark_failed(spec.decision.id, error)
        return
    if not spec.runs:
        say(f"{spec.label}: failed. {failure.message}")
        for segment in spec.segments:
            if segment.keep and not store.has(segment.id):
                store.mark_failed(segment.id, error)
    for run in spec.runs:
        machine = {"kind": spec.device, "name": spec.device}
        run_record.write_failure(
            spec.root, run.experiment, run.id, spec.data, machine, error, spec.code
        )
