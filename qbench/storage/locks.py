"""Locks on files: one process trains a segment, others wait for it or take over from the dead."""

from __future__ import annotations

import fcntl
import json
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from qbench.base.files import room_for

HEARTBEAT_SECONDS = 10.0
STALE_SECONDS = 60.0  # a lock of another machine that has not been renewed for so long is dead
_POLL_SECONDS = 0.2


@contextmanager
def locked(path: Path, say: Callable[[str], None]) -> Iterator[None]:
    """Hold the lock `path`, waiting until whoever has it is done or dead.

    Args:
        path: the lock file; it exists while the lock is held, and names its holder.
        say: told when the lock must be waited for and when one is taken over.
    """
    told = False
    while not _try(path):
        holder = read_holder(path)
        if holder is None:  # released at this very moment, or emptied by a power failure
            if not _take_away(path):
                time.sleep(_POLL_SECONDS / 10)
            continue
        if _is_dead(path, holder):
            if _take_away(path):
                say(
                    f"{path.name}: its holder, process {holder['pid']} on {holder['host']}, is gone"
                )
            continue
        if not told:
            say(f"{path.name}: waiting for process {holder['pid']} on {holder['host']}")
            told = True
        time.sleep(_POLL_SECONDS)
    stop = threading.Event()
    heart = threading.Thread(target=_beat, args=(path, stop), daemon=True)
    heart.start()
    try:
        yield
    finally:
        stop.set()
        heart.join()
        path.unlink(missing_ok=True)


Holder = dict[str, str | int]


def _try(path: Path) -> bool:
    """Create the lock file, whole, unless it exists."""
    me = {"host": socket.gethostname(), "pid": os.getpid(), "started": _started(os.getpid())}
    aside = path.with_name(f".{path.name}.{me['host']}.{me['pid']}.{threading.get_ident()}")
    try:
        with room_for(path):
            aside.write_text(json.dumps(me))
            os.link(aside, path)
    except FileExistsError:
        return False
    finally:
        aside.unlink(missing_ok=True)
    return True


def read_holder(path: Path) -> Holder | None:
    """Who holds the lock, or None where nobody does."""
    try:
        holder: Holder = json.loads(path.read_text())
    except (OSError, ValueError):
        return None
    return holder


def is_held(path: Path) -> bool:
    """Whether a living process holds the lock."""
    holder = read_holder(path)
    return holder is not None and not _is_dead(path, holder)


def _is_dead(path: Path, holder: Holder) -> bool:
    """Whether the holder cannot be there any more.

    On this machine the process table tells; a process that got a dead one's number has another
    starting time. For other machines the lock's age does.
    """
    if holder["host"] == socket.gethostname():
        pid = int(holder["pid"])
        return not _exists(pid) or _started(pid) != holder["started"]
    return _is_stale(path)


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _started(pid: int) -> str:
    """When a process started, in the kernel's clock; empty where that is not known.

    One that has ended, and only waits for its parent to ask how, has not started.
    """
    try:
        facts = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return "ended" if facts[0] in "ZX" else facts[19]


def _take_away(path: Path) -> bool:
    """Remove a dead lock; of several that try, one succeeds.

    Looked at again with the folder locked: between the look and the removal, another process may
    have removed the dead lock and made its own.
    """
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        with suppress(OSError):  # some network file systems lock no folders
            fcntl.flock(folder, fcntl.LOCK_EX)
        holder = read_holder(path)
        if not (_is_stale(path) if holder is None else _is_dead(path, holder)):
            return False
        path.unlink(missing_ok=True)
        return True
    finally:
        os.close(folder)


def _is_stale(path: Path) -> bool:
    """Whether the lock has not been renewed for long."""
    try:
        return time.time() - path.stat().st_mtime > STALE_SECONDS
    except OSError:
        return False


def _beat(path: Path, stop: threading.Event) -> None:
    """Renew the lock's time while it is held."""
    while not stop.wait(HEARTBEAT_SECONDS):
        try:
            os.utime(path)
        except OSError:
            return
