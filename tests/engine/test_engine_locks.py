"""Locks between processes: one holder at a time, the dead are replaced, the living waited for."""

import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
import threading

import pytest

from qbench.base.errors import DiskFull
from qbench.storage import locks
from qbench.storage.locks import LockLost, is_held, locked, read_holder

HOLD = """
import sys
from pathlib import Path
from qbench.storage.locks import locked
with locked(Path(sys.argv[1]), lambda text: None):
    print("held", flush=True)
    sys.stdin.read()
"""

# Raises a counter as one must not do it without a lock; a file that only one may have says so too.
COUNT = """
import os, sys
from pathlib import Path
from qbench.storage import locks
folder, times = Path(sys.argv[1]), int(sys.argv[2])
pause = lambda seconds: os.sched_yield()
sys.stdin.readline()
for _ in range(times):
    with locks.locked(folder / "lock", lambda text: None, pause):
        os.close(os.open(folder / "alone", os.O_CREAT | os.O_EXCL))
        number = int((folder / "counter").read_text())
        os.sched_yield()
        (folder / "counter").write_text(str(number + 1))
        os.unlink(folder / "alone")
"""

NOW = 1_000_000.0


def _python(code, *arguments):
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


@pytest.fixture
def path(tmp_path):
    return tmp_path / "lock"


@pytest.fixture
def holder(path):
    """A process that holds the lock `path` until its standard input ends."""
    process = _python(HOLD, path)
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.wait()
    for stream in (process.stdin, process.stdout, process.stderr):
        stream.close()


@pytest.fixture
def clock(monkeypatch):
    """Sets the time by which locks are judged."""

    def set_to(moment):
        monkeypatch.setattr(locks, "_now", lambda: moment)

    set_to(NOW)
    return set_to


def _foreign(path, **changes):
    """A lock file of another holder, renewed `NOW`; as a name of its own, like a real one."""
    me = {"host": socket.gethostname(), "processes": locks.process_table(), "pid": os.getpid()}
    me |= {"started": "1", "token": "other"}
    aside = path.with_name("foreign")
    aside.write_text(json.dumps(me | changes))
    os.utime(aside, (NOW, NOW))
    os.replace(aside, path)


def _elsewhere(path, **changes):
    _foreign(path, **({"host": "elsewhere", "pid": 1} | changes))


def _never(seconds):
    raise AssertionError("waits")


class Pause:
    """Waits for no time: does what happens meanwhile, one thing each time it is called."""

    def __init__(self, *events):
        self.events = list(events)
        self.seconds = []

    def __call__(self, seconds):
        assert self.events, "waits on"
        self.seconds.append(seconds)
        self.events.pop(0)()


def _nothing():
    pass


def test_processes_exclude_each_other(tmp_path):
    (tmp_path / "counter").write_text("0")
    running = [_python(COUNT, tmp_path, 40) for _ in range(5)]
    for process in running:
        process.stdin.write("go\n")
        process.stdin.flush()
    assert [process.communicate()[1] for process in running] == [""] * 5
    assert (tmp_path / "counter").read_text() == "200"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["counter"]


def test_a_living_holder_is_waited_for_and_named_once(tmp_path, path, holder):
    def lives():
        assert is_held(path)
        assert holder.poll() is None

    def ends():
        holder.stdin.close()
        assert holder.wait() == 0

    said, pause = [], Pause(lives, lives, ends)
    with locked(path, said.append, pause):
        assert pause.events == []
        assert read_holder(path)["pid"] == os.getpid()
    assert said == [f"lock: waiting for process {holder.pid} on {socket.gethostname()}"]
    assert pause.seconds == [locks._POLL_SECONDS] * 3
    assert list(tmp_path.iterdir()) == []


def test_a_killed_holder_is_taken_over_with_a_message(tmp_path, path, holder):
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    assert path.exists()
    assert not is_held(path)
    said = []
    with locked(path, said.append, _never):
        assert read_holder(path)["pid"] == os.getpid()
        assert is_held(path)
    assert said == [f"lock: its holder, process {holder.pid} on {socket.gethostname()}, is gone"]
    assert list(tmp_path.iterdir()) == []


def test_a_killed_holder_that_nobody_has_waited_for_is_dead_too(path, holder):
    holder.send_signal(signal.SIGKILL)
    os.waitid(os.P_PID, holder.pid, os.WEXITED | os.WNOWAIT)  # a zombie from here on
    assert not is_held(path)


def test_a_stopped_holder_of_this_machine_is_not_dead(path, holder, clock):
    holder.send_signal(signal.SIGSTOP)
    os.waitid(os.P_PID, holder.pid, os.WSTOPPED)
    clock(path.stat().st_mtime + 10 * locks.STALE_SECONDS)
    assert is_held(path)


def test_another_process_with_the_holders_number_is_not_the_holder(path):
    _foreign(path, started="0")  # this very process, at another time
    said = []
    assert not is_held(path)
    with locked(path, said.append, _never):
        pass
    assert ["is gone" in line for line in said] == [True]


def test_another_hosts_lock_counts_until_it_is_stale(path, clock):
    _elsewhere(path)
    said = []
    pause = Pause(
        lambda: clock(NOW + locks.STALE_SECONDS - 1),
        lambda: clock(NOW + locks.STALE_SECONDS),
        lambda: clock(NOW + locks.STALE_SECONDS + 1),
    )
    with locked(path, said.append, pause):
        assert pause.events == []
    assert said == [
        "lock: waiting for process 1 on elsewhere",
        "lock: its holder, process 1 on elsewhere, is gone",
    ]


def test_a_container_of_the_same_host_name_is_another_machine(path, clock):
    _foreign(path, processes="those of a container", pid=1)
    assert is_held(path)  # whatever process 1 is here
    clock(NOW + locks.STALE_SECONDS + 1)
    assert not is_held(path)


def test_processes_of_another_container_are_others():
    before = locks.process_table()
    code = "from qbench.storage.locks import process_table; print(process_table())"
    other = subprocess.run(
        ["unshare", "--user", "--pid", "--fork", sys.executable, "-c", code],
        capture_output=True,
        text=True,
    )
    if other.returncode:
        pytest.skip(f"no container can be made here: {other.stderr}")
    assert before and other.stdout.strip() not in ("", before)


def test_a_lock_that_was_made_though_the_file_system_says_it_was_not_is_held(path, monkeypatch):
    link = os.link

    def unheard(source, target):
        link(source, target)
        raise FileExistsError(target)

    monkeypatch.setattr(locks.os, "link", unheard)
    with locked(path, print, _never) as lock:
        lock.check()
    assert not path.exists()


def test_whether_another_hosts_lock_is_held_goes_by_its_age(path, clock):
    _elsewhere(path)
    assert is_held(path)
    clock(NOW + locks.STALE_SECONDS + 1)
    assert not is_held(path)


def test_a_process_starts_at_some_time_whatever_it_is_called():
    code = "open('/proc/self/comm', 'w').write('a) Z 1 (b')\nprint('named', flush=True)\ninput()"
    with _python(code) as process:
        before = locks._started(process.pid)
        assert process.stdout.readline() == "named\n"
        assert before.isdigit()
        assert locks._started(process.pid) == before
        process.kill()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert locks._started(process.pid) == "ended"
    assert locks._started(process.pid) == ""


@pytest.mark.parametrize(
    ("error", "held"), [(None, True), (PermissionError, True), (ProcessLookupError, False)]
)
def test_where_no_starting_times_are_known_the_number_tells(path, monkeypatch, error, held):
    def kill(pid, number):
        if error:
            raise error

    _foreign(path, started="", pid=1)
    monkeypatch.setattr(locks, "_started", lambda pid: "")
    monkeypatch.setattr(locks.os, "kill", kill)
    assert is_held(path) is held


def test_each_holding_has_a_token_of_its_own(path):
    seen = []
    for _ in range(3):
        with locked(path, print, _never) as lock:
            seen.append(read_holder(path)["token"])
            assert lock.token == seen[-1]
            assert lock.is_in(path)
    assert len({*seen, None, ""}) == 5


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
    with locked(path, print, _never) as lock:
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

    with locked(path, print, _never) as lock:
        renew(path, (1, 1))
        beats = Beats(lambda: monkeypatch.setattr(os, "utime", fails), _nothing)
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
    with locked(path, print, _never):
        assert began.wait(60)
        assert not ended.is_set()
    assert ended.is_set()


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_the_lock_is_gone_after_an_exception(tmp_path, path, error):
    with pytest.raises(error), locked(path, print, _never):
        raise error
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", ["", "{", "\0\0\0", "[]", "{}"])
def test_a_lock_that_a_power_failure_emptied_holds_until_it_is_stale(path, clock, content):
    path.write_text(content)
    os.utime(path, (NOW, NOW))
    pause = Pause(_nothing, lambda: clock(NOW + locks.STALE_SECONDS + 1))
    assert not is_held(path)
    with locked(path, print, pause):
        assert pause.events == []
    assert not path.exists()
    assert max(pause.seconds) < locks._POLL_SECONDS  # most often it is released at this moment


@pytest.mark.parametrize("begun", [True, False])
def test_a_full_disk_leaves_no_file_behind(tmp_path, path, monkeypatch, begun):
    from pathlib import Path

    def refuse(path, text):
        if begun:
            path.touch()
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", refuse)
    with pytest.raises(DiskFull, match="/lock;"), locked(path, print, _never):
        pass
    assert list(tmp_path.iterdir()) == []


# What a holder does that stood still for so long that another host has taken over its lock.


LOST = "lock: not renewed for 60 seconds, and taken over by"


@pytest.mark.parametrize("change", [{}, {"host": socket.gethostname(), "pid": os.getpid()}])
def test_a_former_holder_leaves_the_lock_of_the_next_one(tmp_path, path, change):
    said = []
    with locked(path, said.append, _never) as lock:
        lock.check()
        _elsewhere(path, **change)
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
    with locked(path, said.append, _never) as lock:
        path.unlink()
        with pytest.raises(LockLost, match=f"{LOST} another process$"):
            lock.check()
    assert said == [f"{LOST} another process"]
    assert list(tmp_path.iterdir()) == []


def test_a_former_holder_that_was_stopped_is_not_told_twice(path):
    said = []
    with pytest.raises(LockLost), locked(path, said.append, _never) as lock:
        _elsewhere(path)
        lock.check()
    assert said == []
    assert path.exists()


def test_a_former_holder_does_not_renew_the_lock_of_the_next_one(path):
    with locked(path, print, _never) as lock:
        locks._beat(lock, Beats(lambda: _elsewhere(path), _nothing))
        assert path.stat().st_mtime == NOW


# Between the look at a lock and its removal another process puts its own there.


def _release(path, meanwhile):
    """A holder that is about to remove its lock."""
    with locked(path, print, _never):
        meanwhile()


def _take_over(path, meanwhile):
    """A process that is about to remove a dead lock, and waits for the next holder to be done."""
    _foreign(path, started="0")
    meanwhile()
    said, theirs = [], []

    def done():
        theirs.append(path.read_bytes())
        path.unlink()

    with locked(path, said.append, Pause(done)):
        _elsewhere(path)
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
        _once(monkeypatch, fcntl, "flock", lambda *rest: _elsewhere(path))
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

    _foreign(path, started="0")
    _once(monkeypatch, locks.os, "rename", try_folder)
    with locked(path, print, _never):
        _once(monkeypatch, locks.os, "rename", try_folder)
    assert len(tried) == 2


def _unlockable(*rest):
    raise OSError("no locks here")


def test_a_lock_that_came_at_the_last_moment_goes_back(tmp_path, path, monkeypatch, remove):
    def meanwhile():
        monkeypatch.setattr(fcntl, "flock", _unlockable)
        _once(monkeypatch, locks.os, "rename", lambda *rest: _elsewhere(path, token="late"))

    remove(path, meanwhile)
    assert read_holder(path)["token"] == "late"
    assert list(tmp_path.iterdir()) == [path]


def test_a_lock_that_went_at_the_last_moment_is_no_trouble(tmp_path, path, monkeypatch):
    _once(monkeypatch, locks.os, "rename", lambda *rest: path.unlink())
    said = []
    with locked(path, said.append, _never):
        pass
    assert said == [f"{LOST} another process"]
    assert list(tmp_path.iterdir()) == []


def test_of_two_that_came_at_the_last_moment_one_stays(tmp_path, path, monkeypatch, remove):
    def second(*rest):
        _elsewhere(path, token="second")

    def third(*rest):
        _elsewhere(path, token="third")

    def meanwhile():
        _once(monkeypatch, locks.os, "rename", second)
        _after(monkeypatch, locks.os, "rename", third)

    remove(path, meanwhile)
    assert read_holder(path)["token"] == "third"
    assert list(tmp_path.iterdir()) == [path]
