"""Locks on files: one process trains a segment; others wait or take over a dead lock.

A lock of another machine counts as dead if it has not been renewed for a minute. But its holder may
only be stopped, and continue later. Then it finds another token in the lock file: it does not renew
or remove the lock, and `Lock.check` stops it before it writes. A write that was checked just before
does no harm: every writer writes the same content for a segment or a run, the file appears
complete, and a finished run is never replaced.
"""

from __future__ import annotations

import json
import os
import secrets
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from qbench.base.errors import QbenchError
from qbench.base.files import alone_in, room_for

HEARTBEAT_SECONDS = 10.0
STALE_SECONDS = 60.0  # a lock of another machine is dead after this time without renewal
_POLL_SECONDS = 0.2

_now = time.time


class LockLost(QbenchError):
    """Another process has taken over this process' lock; a new attempt waits for the lock."""


@dataclass(frozen=True)
class Lock:
    """A lock that this process has taken.

    Attributes:
        path: the lock file.
        token: a text in the lock file that only this lock has.
    """

    path: Path
    token: str

    def is_in(self, path: Path) -> bool:
        """Whether the lock file at `path` belongs to this lock."""
        holder = read_holder(path)
        return holder is not None and holder.get("token") == self.token

    def check(self) -> None:
        """Check that this process still has the lock; call it before each protected write.

        Raises:
            LockLost: another process has the lock now, or had it and has finished.
        """
        if not self.is_in(self.path):
            raise LockLost(self.loss())

    def loss(self) -> str:
        """The message that the lock is lost."""
        holder = read_holder(self.path)
        other = _named(holder) if holder else "another process"
        return (
            f"{self.path.name}: not renewed for {STALE_SECONDS:.0f} seconds, and taken over by"
            f" {other}"
        )


@contextmanager
def locked(
    path: Path, say: Callable[[str], None], pause: Callable[[float], None] = time.sleep
) -> Iterator[Lock]:
    """Hold the lock `path`; wait until its holder is finished or dead.

    Args:
        path: the lock file; it exists while the lock is held, and names its holder.
        say: called with a line of text when this process waits for the lock, when it takes over a
            dead lock, and when it has lost its own lock.
        pause: called with the number of seconds to wait before the lock is read again.

    Yields:
        The lock; check it before each write.
    """
    lock = _taken(path, say, pause)
    stop = threading.Event()
    heart = threading.Thread(target=_beat, args=(lock, stop.wait), daemon=True)
    heart.start()
    try:
        yield lock
    finally:
        stop.set()
        heart.join()
        kept = _remove(path, lock.is_in)
    if not kept:
        say(lock.loss())


def _taken(path: Path, say: Callable[[str], None], pause: Callable[[float], None]) -> Lock:
    """Take the lock when no living process has it."""
    told = False
    while (lock := _try(path)) is None:
        holder = read_holder(path)
        if holder is None:  # released at this very moment, or emptied by a power failure
            if not take_away(path):
                pause(_POLL_SECONDS / 10)
            continue
        if _is_dead(path, holder):
            if take_away(path):
                say(f"{path.name}: its holder, {_named(holder)}, is gone")
            continue
        if not told:
            say(f"{path.name}: waiting for {_named(holder)}")
            told = True
        pause(_POLL_SECONDS)
    return lock


Holder = dict[str, str | int]


def _named(holder: Holder) -> str:
    return f"process {holder['pid']} on {holder['host']}"


def _try(path: Path) -> Lock | None:
    """Create the complete lock file, unless it exists."""
    lock = Lock(path, secrets.token_hex(8))
    pid = os.getpid()
    me = {
        "host": socket.gethostname(),
        "processes": process_table(),
        "pid": pid,
        "started": _started(pid),
        "token": lock.token,
    }
    aside = _aside(path)
    try:
        with room_for(path):
            aside.write_text(json.dumps(me))
            os.link(aside, path)
    except FileExistsError:
        # A network file system may report an error although it has made the link.
        return lock if lock.is_in(path) else None
    finally:
        aside.unlink(missing_ok=True)
    return lock


def _aside(path: Path) -> Path:
    """A name beside the lock that only this thread uses."""
    return path.with_name(
        f".{path.name}.{socket.gethostname()}.{os.getpid()}.{threading.get_ident()}"
    )


def read_holder(path: Path) -> Holder | None:
    """The holder of the lock; None if the lock file is missing or names no holder."""
    try:
        holder: Holder = json.loads(path.read_text())
    except (OSError, ValueError):
        return None
    named = isinstance(holder, dict) and {"host", "pid", "started"} <= holder.keys()
    return holder if named else None


def is_held(path: Path) -> bool:
    """Whether a living process holds the lock."""
    holder = read_holder(path)
    return holder is not None and not _is_dead(path, holder)


def _is_dead(path: Path, holder: Holder) -> bool:
    """Whether the holder is dead.

    A holder in this process table is dead if no process has its number, or if the process with its
    number started at another time. For other machines and containers the age of the lock decides.
    """
    here = socket.gethostname(), process_table()
    if (holder["host"], holder.get("processes")) == here:
        pid = int(holder["pid"])
        return not _exists(pid) or _started(pid) != holder["started"]
    return _is_stale(path)


@cache
def process_table() -> str:
    """A name for the set of processes that this process sees: a machine's or a container's.

    The host name is not enough, because machines and containers may share it. The name changes when
    the machine restarts. It is empty if the system does not tell it.
    """
    try:
        start = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{start} {Path('/proc/self/ns/pid').stat().st_ino}"
    except OSError:
        return ""


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _started(pid: int) -> str:
    """The time when a process started, in the kernel's clock; empty if it is unknown.

    It is `ended` for a process that has ended and waits for its parent.
    """
    try:
        facts = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return "ended" if facts[0] in "ZX" else facts[19]


def take_away(path: Path) -> bool:
    """Remove a dead lock; if several processes try, one succeeds."""
    return _remove(path, _is_abandoned)


def _is_abandoned(path: Path) -> bool:
    """Whether a lock file names a dead holder, or names no holder and is old."""
    holder = read_holder(path)
    return _is_stale(path) if holder is None else _is_dead(path, holder)


def _remove(path: Path, is_meant: Callable[[Path], bool]) -> bool:
    """Remove the lock file if `is_meant` returns true for it.

    Between the check and the removal, another process may put its own lock there. Processes of this
    machine cannot, because a process that removes a lock has locked the folder. But some network
    file systems have no locks on folders. So the file first gets a name that no other process uses.
    Then it is checked again. If it is another lock, it gets its old name back. If a third process
    has made its lock in the meantime, that lock stays, and the owner of the other lock has lost it.
    """
    if not is_meant(path):
        return False
    with alone_in(path.parent):
        return is_meant(path) and _remove_aside(path, is_meant)


def _remove_aside(path: Path, is_meant: Callable[[Path], bool]) -> bool:
    aside = _aside(path)
    try:
        os.rename(path, aside)
    except FileNotFoundError:
        return False
    try:
        meant = is_meant(aside)
        if not meant:
            with suppress(FileExistsError):
                os.link(aside, path)
        return meant
    finally:
        aside.unlink()


def _is_stale(path: Path) -> bool:
    """Whether the lock has not been renewed for a minute."""
    try:
        return _now() - path.stat().st_mtime > STALE_SECONDS
    except OSError:
        return False


def _beat(lock: Lock, wait: Callable[[float], bool]) -> None:
    """Renew the time of this lock while it is held; never renew another lock.

    Args:
        lock: the lock.
        wait: waits for a number of seconds, or until the lock is released; returns whether the lock
            is released.
    """
    while not wait(HEARTBEAT_SECONDS):
        with suppress(OSError):  # a network file system may work again at the next beat
            if lock.is_in(lock.path):
                os.utime(lock.path)
