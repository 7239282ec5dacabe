"""How much memory this process may use."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path, PurePosixPath

_OLD = ("sys/fs/cgroup/memory", "memory.limit_in_bytes")
_NEW = (("sys/fs/cgroup", "memory.max"), ("sys/fs/cgroup/unified", "memory.max"))


def usable_memory(system: Path = Path("/")) -> int:
    """Bytes of the machine's memory, or the smallest limit of the process's control groups.

    Args:
        system: the root of the file system, in which Linux shows control groups of both versions.
    """
    machine = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return min([machine, *_limits(system)])


def _limits(system: Path) -> Iterator[int]:
    """The limits of the groups of this process and of the groups above; a container sees some."""
    for file in _files(system):
        with suppress(OSError, ValueError):  # there is no such group here, or it has no limit
            yield int(file.read_text())


def _files(system: Path) -> Iterator[Path]:
    lines: list[str] = []
    with suppress(OSError):  # another system than Linux
        lines = (system / "proc/self/cgroup").read_text().splitlines()
    for line in lines:
        _, controllers, path = line.split(":", 2)
        places = _NEW if not controllers else (_OLD,) if "memory" in controllers.split(",") else ()
        group = PurePosixPath(path.lstrip("/"))
        for mounted, name in places:
            yield from (system / mounted / one / name for one in (group, *group.parents))
