"""The folder of decoded images: where it is, which files it has, and what may be removed.

    <folder>/<id>.pixels     the images, uint8, one after the other
             <id>.json       what they are; written last, when all images are there
             <id>.progress   the blocks that are there, while there is no <id>.json
             <id>.lock       exists while a process decodes images
             <id>.hash       the hash of a whole data set, whose images are in the folder

The id is a hash of the key, the number of images and their shape. A process that reads or writes
images holds a shared lock on <id>.pixels, so no other process removes them meanwhile.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from qbench.base.errors import QbenchError
from qbench.base.paths import given
from qbench.base.plain import one_line
from qbench.storage import aside, locks
from qbench.storage.records import write_atomically

VARIABLE = "QBENCH_CACHE"
FORMAT = 1  # of the files; raise it if they change
_PIXELS, _FACTS, _PROGRESS, _LOCK, _HASH = "pixels", "json", "progress", "lock", "hash"


def cache_folder() -> Path:
    """The folder of `QBENCH_CACHE`, or `qbench/` in the user's cache folder (XDG).

    Raises:
        QbenchError: the variable is not set, and the user has no home folder.
    """
    chosen = os.environ.get(VARIABLE, "")
    users = os.environ.get("XDG_CACHE_HOME", "")
    if not chosen:
        chosen = os.path.join(users if os.path.isabs(users) else "~/.cache", "qbench")
    folder = given(chosen)
    if folder.parts[:1] == ("~",):
        raise QbenchError(
            f"{VARIABLE} is not set, and this user has no home folder; set it to a folder for"
            " decoded images."
        )
    return folder.absolute()


@dataclass(frozen=True)
class Entry:
    """The files of one set of decoded images.

    Attributes:
        folder: the cache folder.
        id: the name of the files, without their endings.
    """

    folder: Path
    id: str

    @property
    def pixels(self) -> Path:
        """The images."""
        return self._file(_PIXELS)

    @property
    def facts(self) -> Path:
        """What the images are."""
        return self._file(_FACTS)

    @property
    def progress(self) -> Path:
        """The blocks that are there, while not all are."""
        return self._file(_PROGRESS)

    @property
    def lock(self) -> Path:
        """The lock of the process that decodes images."""
        return self._file(_LOCK)

    def _file(self, kind: str) -> Path:
        return self.folder / f"{self.id}.{kind}"

    def read_facts(self) -> dict[str, Any] | None:
        """The facts about complete images; None if they are missing or damaged."""
        return read_sealed(self.facts)

    def write_facts(self, facts: dict[str, Any]) -> None:
        """Write the facts; afterwards the images count as complete."""
        write_sealed(self.facts, facts)

    def described(self) -> str:
        """The images in one line: id, number, shape and key."""
        facts = self.read_facts()
        if facts is None or not {"key", "count", "shape"} <= facts.keys():
            return f"{self.id[:12]}  incomplete"
        shape = "x".join(map(str, facts["shape"]))
        return one_line(f"{self.id[:12]}  {facts['count']:,} images of {shape}  {facts['key']}")

    def remove(self) -> None:
        """Remove the images and what is known of them."""
        for path in (self.facts, self.progress, self.pixels):
            path.unlink(missing_ok=True)

    @property
    def bytes(self) -> int:
        """The bytes that the files take on the disk."""
        taken = 0
        for path in (self.facts, self.progress, self.pixels):
            with suppress(FileNotFoundError):
                taken += path.stat().st_blocks * 512
        return taken


def identifier(content: Any) -> str:
    """32 hexadecimal digits that identify plain data by their content."""
    text = json.dumps([FORMAT, content], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def entries(folder: Path) -> list[Entry]:
    """All sets of images in the folder, complete or not, sorted by id."""
    found = {
        path.name.partition(".")[0]
        for kind in (_PIXELS, _FACTS, _PROGRESS)
        for path in folder.glob(f"*.{kind}")
        if not path.name.startswith(".")
    }
    return [Entry(folder, name) for name in sorted(found)]


def hash_file(folder: Path, name: str) -> Path:
    """The file with the hash of a whole data set."""
    return folder / f"{name}.{_HASH}"


def remove_unused(entry: Entry) -> bool:
    """Remove a set of images unless a process uses it; returns whether it was removed.

    This writes nothing, because the disk may be full. A process that begins to decode images at
    this moment finds that its file is gone, and makes another one.
    """
    if locks.is_held(entry.lock):
        return False
    with _alone_with(entry.pixels) as alone:
        if alone:
            entry.remove()
    return alone


def remove_rest(folder: Path) -> None:
    """Remove hashes of data sets, and what killed processes have left."""
    aside.sweep_up([folder])
    for path in folder.glob(f"*.{_HASH}"):
        path.unlink(missing_ok=True)
    for path in folder.glob(f"*.{_LOCK}"):
        locks.take_away(path)


@contextmanager
def _alone_with(path: Path) -> Iterator[bool]:
    """Lock a file against its readers; yields False if a process uses it."""
    try:
        handle = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        yield True
        return
    try:
        yield _is_free(handle)
    finally:
        os.close(handle)


def _is_free(handle: int) -> bool:
    """Lock an open file against its readers; False if a process reads it."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # some network file systems have no locks; a map keeps a removed file
        pass
    return True


def write_sealed(path: Path, content: dict[str, Any]) -> None:
    """Write plain data as JSON with a checksum; see `read_sealed`."""
    sealed = {**content, "seal": _seal(content)}
    write_atomically(path, json.dumps(sealed, indent=1).encode())


def read_sealed(path: Path) -> dict[str, Any] | None:
    """What `write_sealed` wrote; None if the file is missing, damaged or unreadable."""
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    if not isinstance(content, dict):
        return None
    seal = content.pop("seal", None)
    return content if seal == _seal(content) else None


def _seal(content: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
