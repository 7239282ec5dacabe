"""Locks between processes: one holder at a time, the dead are replaced, the living waited for."""

import os
import signal
import socket
import subprocess
import sys

import pytest
from lock_examples import NOW, Pause, elsewhere, foreign, never, nothing

from qbench.base.errors import DiskFull
from qbench.storage import locks
from qbench.storage.locks import is_held, locked, read_holder

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


def _python(code, *arguments):
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


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
    with locked(path, said.append, never):
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
    foreign(path, started="0")  # this very process, at another time
    said = []
    assert not is_held(path)
    with locked(path, said.append, never):
        pass
    assert ["is gone" in line for line in said] == [True]


def test_another_hosts_lock_counts_until_it_is_stale(path, clock):
    elsewhere(path)
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
    foreign(path, processes="those of a container", pid=1)
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
    with locked(path, print, never) as lock:
        lock.check()
    assert not path.exists()


def test_whether_another_hosts_lock_is_held_goes_by_its_age(path, clock):
    elsewhere(path)
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

    foreign(path, started="", pid=1)
    monkeypatch.setattr(locks, "_started", lambda pid: "")
    monkeypatch.setattr(locks.os, "kill", kill)
    assert is_held(path) is held


def test_each_holding_has_a_token_of_its_own(path):
    seen = []
    for _ in range(3):
        with locked(path, print, never) as lock:
            seen.append(read_holder(path)["token"])
            assert lock.token == seen[-1]
            assert lock.is_in(path)
    assert len({*seen, None, ""}) == 5


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_the_lock_is_gone_after_an_exception(tmp_path, path, error):
    with pytest.raises(error), locked(path, print, never):
        raise error
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", ["", "{", "\0\0\0", "[]", "{}"])
def test_a_lock_that_a_power_failure_emptied_holds_until_it_is_stale(path, clock, content):
    path.write_text(content)
    os.utime(path, (NOW, NOW))
    pause = Pause(nothing, lambda: clock(NOW + locks.STALE_SECONDS + 1))
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
    with pytest.raises(DiskFull, match="/lock;"), locked(path, print, never):
        pass
    assert list(tmp_path.iterdir()) == []
