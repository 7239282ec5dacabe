"""Held locks are renewed; a holder that stood still for so long that it lost its lock is told."""

import os
import socket
import threading

import pytest
from lock_examples import LOST, NOW, elsewhere, never, nothing

from qbench.storage import locks
from qbench.storage.locks import LockLost, locked, read_holder


class Beats:
    """A heart's wait that ends at once; `before` each of them something may happen."""

    def __init__(self, *before):
        self.before = list(before)
        self.seconds = []

    def __call__(self, seconds):
        self.seconds.append(seconds)
        if not self.before:
            return True
        self.before.pop(0)()
        return False


def test_a_held_lock_is_renewed_at_every_beat(path):
    with locked(path, print, never) as lock:
        renewed = []

        def age():
            renewed.append(path.stat().st_mtime > 1)
            os.utime(path, (1, 1))

        beats = Beats(age, age, age)
        locks._beat(lock, beats)
        assert renewed == [True] * 3
        assert path.stat().st_mtime > 1
        assert beats.seconds == [locks.HEARTBEAT_SECONDS] * 4
    assert locks.HEARTBEAT_SECONDS * 3 < locks.STALE_SECONDS


def test_a_lock_that_cannot_be_renewed_once_is_renewed_the_next_time(path, monkeypatch):
    renew = os.utime

    def fails(*arguments):
        monkeypatch.setattr(os, "utime", renew)
        raise OSError("stale file handle")

    with locked(path, print, never) as lock:
        renew(path, (1, 1))
        beats = Beats(lambda: monkeypatch.setattr(os, "utime", fails), nothing)
        locks._beat(lock, beats)
        assert path.stat().st_mtime > 1


def test_the_heart_beats_while_the_lock_is_held_and_no_longer(path, monkeypatch):
    began, ended = threading.Event(), threading.Event()

    def beat(lock, wait):
        assert lock.path == path
        began.set()
        wait(60)
        ended.set()

    monkeypatch.setattr(locks, "_beat", beat)
    with locked(path, print, never):
        assert began.wait(60)
        assert not ended.is_set()
    assert ended.is_set()


@pytest.mark.parametrize("change", [{}, {"host": socket.gethostname(), "pid": os.getpid()}])
def test_a_former_holder_leaves_the_lock_of_the_next_one(tmp_path, path, change):
    said = []
    with locked(path, said.append, never) as lock:
        lock.check()
        elsewhere(path, **change)
        theirs = path.read_bytes()
        with pytest.raises(LockLost, match=LOST):
            lock.check()
    assert path.read_bytes() == theirs
    assert list(tmp_path.iterdir()) == [path]
    assert len(said) == 1
    assert said[0].startswith(LOST)
    assert str(read_holder(path)["pid"]) in said[0]


def test_a_former_holder_is_told_when_the_next_one_is_done_already(tmp_path, path):
    said = []
    with locked(path, said.append, never) as lock:
        path.unlink()
        with pytest.raises(LockLost, match=f"{LOST} another process$"):
            lock.check()
    assert said == [f"{LOST} another process"]
    assert list(tmp_path.iterdir()) == []


def test_a_former_holder_that_was_stopped_is_not_told_twice(path):
    said = []
    with pytest.raises(LockLost), locked(path, said.append, never) as lock:
        elsewhere(path)
        lock.check()
    assert said == []
    assert path.exists()


def test_a_former_holder_does_not_renew_the_lock_of_the_next_one(path):
    with locked(path, print, never) as lock:
        locks._beat(lock, Beats(lambda: elsewhere(path), nothing))
        assert path.stat().st_mtime == NOW
