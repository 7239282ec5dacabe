"""The states of segments on disk, and what is known of segments that have none.

<root>/segments/<id>.state     the state at the end of a segment that several runs share
                <id>.partial   the last checkpoint within a segment
                <id>.lock      somebody is training it
                <id>.error     why it could not be trained, in the sweep that is running
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from qbench.base.files import room_for
from qbench.storage import locks, records
from qbench.storage.state import Damaged, State, pack, unpack

Say = Callable[[str], None]


class Store:
    """The segments below one root folder."""

    def __init__(self, root: Path, say: Say) -> None:
        """`say` is told of files that are damaged."""
        self.folder = root / "segments"
        self._say = say
        self._held: dict[str, locks.Lock] = {}

    def _path(self, segment: str, kind: str) -> Path:
        return self.folder / f"{segment}.{kind}"

    def lock(self, segment: str) -> Path:
        """The lock file of a segment."""
        return self._path(segment, "lock")

    @contextmanager
    def locked(self, segment: str) -> Iterator[None]:
        """Hold a segment's lock; while it is held, whatever is stored of the segment checks it."""
        with locks.locked(self.lock(segment), self._say) as lock:
            self._held[segment] = lock
            try:
                yield
            finally:
                del self._held[segment]

    def check(self, segment: str) -> None:
        """Raise LockLost if another process has taken over the lock that this store holds."""
        if segment in self._held:
            self._held[segment].check()

    def make_folder(self) -> None:
        """Make the folder that states and locks go to."""
        with room_for(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)

    def has(self, segment: str) -> bool:
        """Whether there is a state file; it may turn out to be damaged."""
        return self._path(segment, "state").is_file()

    def load(self, segment: str) -> State | None:
        """The state at a segment's end, if it is there and whole."""
        return self._read(self._path(segment, "state"))

    def load_partial(self, segment: str) -> State | None:
        """The last checkpoint within a segment, if it is there and whole."""
        return self._read(self._path(segment, "partial"))

    def _read(self, path: Path) -> State | None:
        try:
            return unpack(path.read_bytes())
        except FileNotFoundError:
            return None
        except (Damaged, OSError) as error:
            aside = path.with_name(f"{path.name}.damaged")
            os.replace(path, aside)
            self._say(f"{path}: damaged, {error}; set aside as {aside.name} and computed again")
            return None

    def save(self, segment: str, state: State) -> None:
        """Store the state at a segment's end; its checkpoint is not needed any more.

        Raises:
            LockLost: see `check`.
        """
        self.check(segment)
        records.write_atomically(self._path(segment, "state"), pack(state))
        self.drop_partial(segment)

    def save_partial(self, segment: str, state: State) -> None:
        """Store a checkpoint within a segment; LockLost as for `check`."""
        self.check(segment)
        records.write_atomically(self._path(segment, "partial"), pack(state))

    def drop_partial(self, segment: str) -> None:
        """Forget the checkpoint within a segment; LockLost as for `check`."""
        self.check(segment)
        self._path(segment, "partial").unlink(missing_ok=True)

    def mark_failed(self, segment: str, error: dict[str, str]) -> None:
        """Say that a segment could not be trained, so that no run tries it again this time."""
        self.make_folder()
        records.write_atomically(self._path(segment, "error"), records.as_json(error))

    def failure(self, segment: str) -> dict[str, str] | None:
        """What `mark_failed` said of a segment."""
        path = self._path(segment, "error")
        if not path.is_file():
            return None
        error: dict[str, str] = records.read_json(path, "the error of a segment")
        return error

    def forget_failures(self) -> None:
        """A new sweep tries everything again."""
        for path in self.folder.glob("*.error"):
            path.unlink(missing_ok=True)

    def clean(self, needed: set[str]) -> list[Path]:
        """Remove states and checkpoints of segments that are not needed; returns the files."""
        removed = []
        for kind in ("state", "partial", "state.damaged", "partial.damaged"):
            for path in self.folder.glob(f"*.{kind}"):
                if path.name.partition(".")[0] not in needed:
                    path.unlink(missing_ok=True)
                    removed.append(path)
        return removed
