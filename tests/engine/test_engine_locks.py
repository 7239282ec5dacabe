"""Locks between processes: one holder at a time, the dead are replaced, the living waited for."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time

import pytest

from qbench.base.errors import DiskFull
from qbench.storage import locks
from qbench.storage.locks import is_held, locked, read_holder

HOLD = """
import sys, time
from pathlib import Path
from qbench.storage.locks import locked
with locked(Path(sys.argv[1]), lambda text: None):
    print("held", flush=True)
    sys.stdin.read()
"""

# Raises a counter as one must not do it without a lock; a file that only one may have says so too.
COUNT = """
import os, sys, time
from pathlib import Path
from qbench.storage import locks
folder, times, delay = Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
judge = locks._is_dead
def slowly(*arguments):
    dead = judge(*arguments)
    time.sleep(delay * (os.getpid() % 5))
    return dead
locks._is_dead = slowly
sys.stdin.readline()
for _ in range(times):
    with locks.locked(folder / "lock", lambda text: None):
        os.close(os.open(folder / "alone", os.O_CREAT | os.O_EXCL))
        number = int((folder / "counter").read_text())
        time.sleep(0.01)
        (folder / "counter").write_text(str(number + 1))
        os.unlink(folder / "alone")
"""


def _python(code, *arguments):
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


@pytest.fixture
def holder(tmp_path):
    """A process that holds the lock `tmp_path / "lock"` until its standard input ends."""
    process = _python(HOLD, tmp_path / "lock")
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.wait()
    for stream in (process.stdin, process.stdout, process.stderr):
        stream.close()


def _count(folder, processes, times, delay):
    """Let processes count at the same time; returns what they say and the counter."""
    (folder / "counter").write_text("0")
    running = [_python(COUNT, folder, times, delay) for _ in range(processes)]
    for process in running:
        process.stdin.write("go\n")
        process.stdin.flush()
    errors = [process.communicate(timeout=60)[1] for process in running]
    return errors, int((folder / "counter").read_text())


def _foreign(path, **changes):
    me = {"host": socket.gethostname(), "pid": os.getpid(), "started": "1"}
    path.write_text(json.dumps(me | changes))


def test_processes_exclude_each_other(tmp_path):
    errors, counted = _count(tmp_path, 5, 12, 0)
    assert errors == [""] * 5
    assert counted == 60
    assert sorted(path.name for path in tmp_path.iterdir()) == ["counter"]


@pytest.mark.parametrize("attempt", range(3))
def test_of_many_that_find_a_dead_holder_one_gets_the_lock(tmp_path, attempt):
    # Whoever found the holder dead may be slow to act on it, and another be there meanwhile.
    _foreign(tmp_path / "lock", started="long ago")
    errors, counted = _count(tmp_path, 5, 1, 0.02)
    assert errors == [""] * 5
    assert counted == 5


def test_a_living_holder_is_waited_for_and_named_once(tmp_path, holder):
    said, got = [], threading.Event()

    def wait():
        with locked(tmp_path / "lock", said.append):
            got.set()

    thread = threading.Thread(target=wait)
    thread.start()
    assert is_held(tmp_path / "lock")
    assert not got.wait(1)
    assert said == [f"lock: waiting for process {holder.pid} on {socket.gethostname()}"]
    holder.stdin.close()
    assert got.wait(10)
    thread.join(10)
    assert len(said) == 1
    assert not (tmp_path / "lock").exists()


def test_a_killed_holder_is_taken_over_with_a_message(tmp_path, holder):
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    assert (tmp_path / "lock").exists()
    assert not is_held(tmp_path / "lock")
    said = []
    with locked(tmp_path / "lock", said.append):
        assert read_holder(tmp_path / "lock")["pid"] == os.getpid()
        assert is_held(tmp_path / "lock")
    assert said == [f"lock: its holder, process {holder.pid} on {socket.gethostname()}, is gone"]
    assert list(tmp_path.iterdir()) == []


def test_a_killed_holder_that_nobody_has_waited_for_is_dead_too(tmp_path, holder):
    holder.send_signal(signal.SIGKILL)
    os.waitid(os.P_PID, holder.pid, os.WEXITED | os.WNOWAIT)  # a zombie from here on
    assert not is_held(tmp_path / "lock")


def test_another_process_with_the_holders_number_is_not_the_holder(tmp_path):
    _foreign(tmp_path / "lock", started="0")  # this very process, at another time
    said = []
    assert not is_held(tmp_path / "lock")
    with locked(tmp_path / "lock", said.append):
        pass
    assert ["is gone" in line for line in said] == [True]


def test_another_hosts_lock_counts_until_it_is_stale(tmp_path):
    _foreign(tmp_path / "lock", host="elsewhere", pid=1)
    said, got = [], threading.Event()

    def wait():
        with locked(tmp_path / "lock", said.append):
            got.set()

    thread = threading.Thread(target=wait)
    thread.start()
    fresh = time.time() - locks.STALE_SECONDS + 20
    os.utime(tmp_path / "lock", (fresh, fresh))
    assert not got.wait(0.7)
    assert is_held(tmp_path / "lock")
    stale = time.time() - locks.STALE_SECONDS - 5
    os.utime(tmp_path / "lock", (stale, stale))
    assert got.wait(10)
    thread.join(10)
    assert said == [
        "lock: waiting for process 1 on elsewhere",
        "lock: its holder, process 1 on elsewhere, is gone",
    ]


def test_a_held_lock_is_renewed_for_other_hosts_to_see(tmp_path, monkeypatch):
    monkeypatch.setattr(locks, "HEARTBEAT_SECONDS", 0.05)
    path = tmp_path / "lock"
    with locked(path, print):
        os.utime(path, (1, 1))
        end = time.monotonic() + 10
        while path.stat().st_mtime < time.time() - 60 and time.monotonic() < end:
            time.sleep(0.01)
        assert path.stat().st_mtime > time.time() - 60
    assert locks.HEARTBEAT_SECONDS * 3 < locks.STALE_SECONDS


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_the_lock_is_gone_after_an_exception(tmp_path, error):
    with pytest.raises(error), locked(tmp_path / "lock", print):
        raise error
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", ["", "{", "\0\0\0"])
def test_a_lock_that_a_power_failure_emptied_does_not_hold_for_ever(tmp_path, content):
    (tmp_path / "lock").write_text(content)
    os.utime(tmp_path / "lock", (1, 1))
    process = _python(HOLD, tmp_path / "lock")
    try:
        out, err = process.communicate("", timeout=5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        pytest.fail("waits for ever")
    assert (out, err) == ("held\n", "")


def test_a_full_disk_leaves_no_file_behind(tmp_path, monkeypatch):
    from pathlib import Path

    def refuse(path, text):
        path.touch()
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", refuse)
    with pytest.raises(DiskFull, match="/lock;"), locked(tmp_path / "lock", print):
        pass
    assert list(tmp_path.iterdir()) == []
