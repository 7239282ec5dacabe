"""Locks of other holders, and waiting that takes no time."""

import json
import os
import socket

from qbench.storage import locks

NOW = 1_000_000.0
LOST = "lock: not renewed for 60 seconds, and taken over by"


def foreign(path, **changes):
    """A lock file of another holder, renewed `NOW`; as a name of its own, like a real one."""
    me = {"host": socket.gethostname(), "processes": locks.process_table(), "pid": os.getpid()}
    me |= {"started": "1", "token": "other"}
    aside = path.with_name("foreign")
    aside.write_text(json.dumps(me | changes))
    os.utime(aside, (NOW, NOW))
    os.replace(aside, path)


def elsewhere(path, **changes):
    foreign(path, **({"host": "elsewhere", "pid": 1} | changes))


def never(seconds):
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


def nothing():
    pass
