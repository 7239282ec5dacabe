"""Real worker processes: what they are told and tell, and what happens when they die."""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import engine_worker_faults as faults
import pytest
from engine_examples import experiment, jobs, resolved, weights, write_job

from qbench.base.errors import DiskFull
from qbench.engine import execute
from qbench.engine.asking import Failure, Listener, WorkerDied
from qbench.engine.client import do_job
from qbench.engine.workers import ProcessWorker, close_workers, worker_for
from qbench.storage import layout, records


@pytest.fixture(scope="module")
def worker(tmp_path_factory):
    """A function that gives this process' worker, which is started again if it has died."""
    folder = tmp_path_factory.mktemp("site")
    faults.install(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(folder), prepend=os.pathsep)
        close_workers()
        yield lambda: worker_for(experiment(), isolate=True)
        close_workers()


def _one_job(root, values=None):
    """The file of a job with one run of ten steps."""
    (spec,) = jobs(resolved(values or {}), root)
    return spec, write_job(spec)


def _do(spec, retries=0):
    """Do a job as a launcher's process does it."""
    return do_job(write_job(spec, retries))


class Heard:
    """Asks a worker and keeps what it was told meanwhile."""

    def __init__(self, worker, kind, **arguments):
        self.steps, self.said = 0, []
        self.failure = worker.ask(kind, Listener(self._count, self.said.append), **arguments)

    def _count(self, new, loss):
        self.steps += new


def _failure(worker, kind, **arguments):
    heard = Heard(worker, kind, **arguments)
    assert (heard.steps, heard.said) == (0, [])
    assert isinstance(heard.failure, Failure)
    return heard.failure


def test_a_worker_says_hello_with_its_device(worker):
    assert worker().device["kind"] in ("CPU", "GPU")
    assert worker().device["name"]
    assert worker().alive()


def test_a_job_is_done_and_its_steps_are_told(worker, tmp_path):
    spec, path = _one_job(tmp_path)
    heard = Heard(worker(), "job", path=str(path))
    assert (heard.failure, heard.steps, heard.said) == (None, 10, [])
    assert weights(tmp_path, spec.runs[0].id)


@pytest.mark.parametrize("isolate", [True, False])
def test_both_kinds_of_worker_answer_alike(worker, tmp_path, isolate):
    spec, path = _one_job(tmp_path)
    asked = worker_for(experiment(), isolate)
    assert asked.device == worker().device
    heard = Heard(asked, "job", path=str(path))
    assert (heard.failure, heard.steps, heard.said) == (None, 10, [])
    assert weights(tmp_path, spec.runs[0].id)
    wrong = replace(spec, data={**spec.data, "hash": "other"}, runs=())
    refused = _failure(asked, "job", path=str(write_job(wrong)))
    assert refused.final and not refused.export
    assert "the data are not those planned with" in refused.message
    assert "Traceback" in refused.traceback
    missing = _failure(asked, "convert", folder=str(tmp_path), changes={}, calibration=None)
    assert str(tmp_path) in missing.message
    broken = _failure(asked, "check", models=[None])
    assert broken.message.startswith("TypeError: ")
    assert not broken.final


def test_a_full_disk_is_told_alike_in_place(tmp_path):
    _, path = _one_job(tmp_path)
    no_room = DiskFull("disk full: no room.")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(execute, "execute", lambda *_: (_ for _ in ()).throw(no_room))
        with pytest.raises(DiskFull, match="no room"):
            Heard(worker_for(experiment(), isolate=False), "job", path=str(path))


def test_what_a_job_prints_does_not_disturb_what_is_told(worker, tmp_path):
    (tmp_path / "noisy").touch()
    spec, path = _one_job(tmp_path)
    heard = Heard(worker(), "job", path=str(path))
    assert (heard.failure, heard.steps) == (None, 10)
    assert weights(tmp_path, spec.runs[0].id)
    again = Heard(worker(), "job", path=str(path))
    assert (again.failure, again.steps) == (None, 0)


def test_a_worker_that_is_left_in_the_middle_of_a_job_does_no_other(worker, tmp_path):
    """What it told of the first one would be taken for the next one's."""
    _, path = _one_job(tmp_path)
    left = worker()

    def no_terminal(new, loss):
        raise OSError("no terminal")

    with pytest.raises(OSError, match="no terminal"):
        left.ask("job", Listener(no_terminal), path=str(path))
    assert not left.alive()
    assert worker() is not left


@pytest.mark.slow
def test_a_full_disk_is_no_failure_and_not_tried_again(worker, tmp_path, capfd):
    spec, path = _one_job(tmp_path)
    (tmp_path / "full").touch()
    with pytest.raises(DiskFull, match="disk full"):
        Heard(worker(), "job", path=str(path))
    with pytest.raises(DiskFull, match="the same command goes on from here"):
        _do(spec, 3)
    assert not (tmp_path / "runs").exists()
    assert "tried again" not in capfd.readouterr().err
    (tmp_path / "full").unlink()
    assert _do(spec) == "stopped"
    layout.stop_file(spec.root).unlink()
    assert _do(spec) == "done"
    assert weights(tmp_path, spec.runs[0].id)


def test_a_worker_without_room_to_start_says_so(worker, monkeypatch, capfd):
    monkeypatch.setenv(faults.NO_TEMPORARY, "1")
    full = pytest.raises(DiskFull, match="temporary files")
    with closing(ProcessWorker(2, False)) as started, full:
        _ = started.device
    assert capfd.readouterr().err == ""


def test_a_mistake_is_told_as_a_sentence_and_not_tried_again(worker, tmp_path, capfd):
    spec, _ = _one_job(tmp_path)
    spec = replace(spec, data={**spec.data, "hash": "other"})
    path = write_job(spec)
    failed = _failure(worker(), "job", path=str(path))
    assert failed.final is True
    assert "the data are not those planned with" in failed.message
    assert _do(spec, 3) == "failed"
    record = records.read_record(layout.run_folder(tmp_path, spec.runs[0].id))
    assert record["status"] == "failed"
    assert record["error"]["message"] == failed.message
    assert "tried again" not in capfd.readouterr().err


def test_any_other_error_is_told_with_its_traceback(worker, tmp_path):
    _, path = _one_job(tmp_path)
    (tmp_path / "segments").write_text("in the way")
    failed = _failure(worker(), "job", path=str(path))
    assert failed.final is False
    assert failed.message.startswith("FileExistsError: ")
    assert "\n" not in failed.message
    assert "Traceback" in failed.traceback
    assert "make_folder" in failed.traceback


@pytest.mark.parametrize("content", [None, b"", b"{", b"{}", b"[]", b"\xff\xfe", b'{"id": 1}'])
def test_an_unreadable_job_file_is_an_error_and_the_worker_lives_on(worker, tmp_path, content):
    path = tmp_path / "jobs" / "bad.json"
    path.parent.mkdir()
    if content is not None:
        path.write_bytes(content)
    pid = worker()._process.pid
    failed = _failure(worker(), "job", path=str(path))
    assert failed.message
    assert worker()._process.pid == pid
    assert worker().alive()


def test_models_are_checked_without_training(worker):
    model = {"name": "resnet_v1", "blocks": 1, "width": 4}
    good = [model, ["digits", None, None, {}], ["vgg"]]
    assert Heard(worker(), "check", models=[good]).failure is None
    assert _failure(
        worker(), "check", models=[[model | {"depth": 3}, ["digits", None, 8, {}], []]]
    ).message


@pytest.mark.slow
def test_a_worker_that_is_killed_in_the_middle_is_replaced_and_the_job_done(
    worker, tmp_path, capfd
):
    spec, _ = _one_job(tmp_path)
    pid = worker()._process.pid
    faults.kill(tmp_path, spec.id, 1)
    assert _do(spec, 1) == "done"
    assert worker()._process.pid != pid
    assert weights(tmp_path, spec.runs[0].id)
    said = capfd.readouterr().err
    assert "the worker process ended by signal 9; tried again" in said
    assert "Traceback" not in said


@pytest.mark.slow
def test_killed_every_time_the_run_has_failed_and_the_others_go_on(worker, tmp_path):
    work = resolved({}, {"quant.bits": 4})
    trunk, victim, other = jobs(work, tmp_path)
    assert _do(trunk) == "done"
    faults.kill(tmp_path, victim.id, 100)
    assert _do(victim, 1) == "failed"
    assert (tmp_path / f"deaths-{victim.id}").read_text() == "98"
    assert _do(other, 1) == "done"
    record = records.read_record(layout.run_folder(tmp_path, victim.runs[0].id))
    assert (record["status"], record["metrics"]) == ("failed", None)
    assert record["error"]["message"] == "the worker process ended by signal 9"
    assert weights(tmp_path, other.runs[0].id)
    # In the next sweep it is tried again, and goes on from the trunk.
    faults.kill(tmp_path, victim.id, 0)
    assert [spec.id for spec in jobs(work, tmp_path)] == [victim.id]
    assert _do(victim) == "done"
    assert weights(tmp_path, victim.runs[0].id)


def test_a_trunk_that_fails_fails_its_runs_at_once(worker, tmp_path):
    trunk, *branches = jobs(resolved({}, {"quant.bits": 4}), tmp_path)
    wrong = replace(trunk, data={**trunk.data, "hash": "other"})
    assert _do(wrong) == "failed"
    for spec in branches:
        assert _do(spec) == "failed"
        record = records.read_record(layout.run_folder(tmp_path, spec.runs[0].id))
        assert record["error"]["message"].startswith("its trunk failed: ")


def test_half_a_line_of_a_worker_that_was_killed_is_its_death():
    half = ProcessWorker.__new__(ProcessWorker)
    half._process = SimpleNamespace(
        stdout=SimpleNamespace(readline=lambda: '{"event": "prog'),
        wait=lambda *_: -9,
        poll=lambda: -9,
        stdin=None,
    )
    half._device = {"kind": "CPU", "name": "CPU"}
    with pytest.raises(WorkerDied, match="by signal 9"):
        half._event()


PARENT = """
import sys, time
from qbench.engine.workers import ProcessWorker
worker = ProcessWorker(2, False)
if sys.argv[1] == "ready":
    worker.device
print(worker._process.pid, flush=True)
time.sleep(300)
"""


def _is_gone(pid):
    """Whether a process has ended, be it that nobody has asked how."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return True
    return state in "ZX"


@pytest.mark.slow
@pytest.mark.parametrize("when", ["ready", "starting"])
def test_a_worker_ends_when_its_parent_is_killed(when):
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, when], stdout=subprocess.PIPE, text=True
    )
    try:
        pid = json.loads(parent.stdout.readline())
        assert not _is_gone(pid)
    finally:
        parent.send_signal(signal.SIGKILL)
        parent.communicate()
    end = time.monotonic() + 30
    while not _is_gone(pid) and time.monotonic() < end:
        time.sleep(0.05)
    assert _is_gone(pid)
