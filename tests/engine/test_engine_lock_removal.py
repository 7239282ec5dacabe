"""Between the look at a lock and its removal another process puts its own there."""

import fcntl
import os

import pytest
from lock_examples import LOST, Pause, elsewhere, foreign, never

from qbench.storage import locks
from qbench.storage.locks import locked, read_holder


def _release(path, meanwhile):
    """A holder that is about to remove its lock."""
    with locked(path, print, never):
        meanwhile()


def _take_over(path, meanwhile):
    """A process that is about to remove a dead lock, and waits for the next holder to be done."""
    foreign(path, started="0")
    meanwhile()
    said, theirs = [], []

    def done():
        theirs.append(path.read_bytes())
        path.unlink()

    with locked(path, said.append, Pause(done)):
        elsewhere(path)
        path.write_bytes(*theirs)
    assert said[0] == "lock: waiting for process 1 on elsewhere"


@pytest.fixture(params=[_release, _take_over])
def remove(request, clock):
    return request.param


def _once(monkeypatch, module, name, first):
    """The next call of a function does something else first."""
    real = getattr(module, name)

    def call(*arguments):
        monkeypatch.setattr(module, name, real)
        first(*arguments)
        return real(*arguments)

    monkeypatch.setattr(module, name, call)


def _after(monkeypatch, module, name, then):
    """The next call of a function is followed by something else."""
    inner = getattr(module, name)

    def call(*arguments):
        result = inner(*arguments)
        then(*arguments)
        return result

    monkeypatch.setattr(module, name, call)


def test_a_lock_that_came_while_the_folder_was_waited_for_stays(
    tmp_path, path, monkeypatch, remove
):
    renamed = []

    def meanwhile():
        _once(monkeypatch, fcntl, "flock", lambda *rest: elsewhere(path))
        _once(monkeypatch, locks.os, "rename", lambda *rest: renamed.append(rest))

    remove(path, meanwhile)
    assert renamed == []
    assert read_holder(path)["host"] == "elsewhere"
    assert list(tmp_path.iterdir()) == [path]


def test_whoever_removes_a_lock_has_its_folder_locked(tmp_path, path, monkeypatch, clock):
    tried = []

    def try_folder(*rest):
        folder = os.open(tmp_path, os.O_RDONLY)
        with pytest.raises(BlockingIOError):
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.close(folder)
        tried.append(rest)

    foreign(path, started="0")
    _once(monkeypatch, locks.os, "rename", try_folder)
    with locked(path, print, never):
        _once(monkeypatch, locks.os, "rename", try_folder)
    assert len(tried) == 2


def _unlockable(*rest):
    raise OSError("no locks here")


def test_a_lock_that_came_at_the_last_moment_goes_back(tmp_path, path, monkeypatch, remove):
    def meanwhile():
        monkeypatch.setattr(fcntl, "flock", _unlockable)
        _once(monkeypatch, locks.os, "rename", lambda *rest: elsewhere(path, token="late"))

    remove(path, meanwhile)
    assert read_holder(path)["token"] == "late"
    assert list(tmp_path.iterdir()) == [path]


def test_a_lock_that_went_at_the_last_moment_is_no_trouble(tmp_path, path, monkeypatch):
    _once(monkeypatch, locks.os, "rename", lambda *rest: path.unlink())
    said = []
    with locked(path, said.append, never):
        pass
    assert said == [f"{LOST} another process"]
    assert list(tmp_path.iterdir()) == []


def test_of_two_that_came_at_the_last_moment_one_stays(tmp_path, path, monkeypatch, remove):
    def second(*rest):
        elsewhere(path, token="second")

    def third(*rest):
        elsewhere(path, token="third")

    def meanwhile():
        _once(monkeypatch, locks.os, "rename", second)
        _after(monkeypatch, locks.os, "rename", third)

    remove(path, meanwhile)
    assert read_holder(path)["token"] == "third"
    assert list(tmp_path.iterdir()) == [path]
