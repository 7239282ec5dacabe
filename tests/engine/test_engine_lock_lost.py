"""A job whose lock another process takes over while it stands still."""

import json

import pytest
from engine_examples import do, experiment, jobs, resolved, silent, weights, write_job

from qbench.engine import client
from qbench.engine.asking import Listener
from qbench.engine.execute import execute
from qbench.engine.requests import carry_out
from qbench.engine.verify import train_alone
from qbench.storage import layout, records
from qbench.storage.locks import LockLost
from qbench.storage.store import Store

CHANGES = {"train.checkpoint_every": 2}


@pytest.fixture
def job(tmp_path):
    """A job of one run, with checkpoints."""
    (spec,) = jobs(resolved(CHANGES), tmp_path)
    return spec


def _take_over(lock):
    """Another host takes the lock over."""
    lock.unlink()
    lock.write_text(json.dumps({"host": "elsewhere", "pid": 7, "started": "1", "token": "other"}))


@pytest.fixture
def lock(job, tmp_path):
    return Store(tmp_path, silent).lock(job.segments[-1].id)


def test_it_stops_before_its_next_checkpoint(job, lock, tmp_path):
    done = []

    def report(new, loss):
        done.append(new)
        if sum(done) >= 5 and "elsewhere" not in lock.read_text():
            _take_over(lock)

    with pytest.raises(LockLost, match="taken over by process 7 on elsewhere"):
        execute(job, report, silent)
    assert sum(done) < 10
    assert not layout.run_folder(tmp_path, job.runs[0].id).exists()
    assert json.loads(lock.read_text())["host"] == "elsewhere"
    lock.unlink()
    assert 0 < do(job) < 10  # on from a checkpoint
    assert weights(tmp_path, job.runs[0].id) == train_alone(experiment(CHANGES))


def test_it_writes_no_record(job, lock, tmp_path, monkeypatch):
    save = records.write_run
    monkeypatch.setattr(Store, "save_partial", lambda *rest: None)

    def report(new, loss):
        if lock.exists():
            lock.unlink()

    monkeypatch.setattr(records, "write_run", lambda *rest, **more: pytest.fail("written"))
    with pytest.raises(LockLost):
        execute(job, report, silent)
    monkeypatch.setattr(records, "write_run", save)
    assert do(job) == 10


def _at_a_checkpoint(monkeypatch, happens):
    """Before the next checkpoint something happens."""
    save = Store.save_partial

    def save_partial(*rest):
        monkeypatch.setattr(Store, "save_partial", save)
        happens()
        save(*rest)

    monkeypatch.setattr(Store, "save_partial", save_partial)


def test_a_worker_tells_that_trying_again_is_of_use(job, lock, tmp_path, monkeypatch):
    _at_a_checkpoint(monkeypatch, lambda: _take_over(lock))
    failure = carry_out("job", Listener(say=silent), path=str(write_job(job)))
    assert failure is not None and not failure.final
    assert failure.message.startswith(f"{lock.name}: not renewed for 60 seconds")


def test_it_is_tried_again_and_waits_for_the_other(job, lock, tmp_path, monkeypatch):
    said = []

    def say(text):
        said.append(text)
        if "waiting" in text:
            lock.unlink()  # the other is done

    _at_a_checkpoint(monkeypatch, lambda: _take_over(lock))
    monkeypatch.setattr(client, "say", say)
    monkeypatch.setattr(client, "Listener", lambda report: Listener(report, say))
    assert client.do_job(write_job(job, retries=1, isolate=False)) == "done"
    lost = f"{lock.name}: not renewed for 60 seconds, and taken over by process 7 on elsewhere"
    assert said == [
        f"{job.label}: {lost}; tried again",
        f"{lock.name}: waiting for process 7 on elsewhere",
    ]
    assert weights(tmp_path, job.runs[0].id) == train_alone(experiment(CHANGES))
