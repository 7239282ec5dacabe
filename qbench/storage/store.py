"""The states of segments on disk, and the failures of segments without a state."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from qbench.base.files import room_for
from qbench.storage import layout, locks, records
from qbench.storage.state import Damaged, State, pack, unpack

Say = Callable[[str], None]


class Store:
    """The segments below one root folder."""

    def __init__(self, root: Path, say: Say) -> None:
        """`say` is called with a line for each damaged file."""
        self.folder = layout.segments_folder(root)
        self._root = root
        self._say = say
        self._held: dict[str, locks.Lock] = {}

    def _path(self, segment: str, kind: str) -> Path:
        return layout.segment_file(self._root, segment, kind)

    def _files(self, kind: str) -> dict[Path, str]:
        return layout.segment_files(self._root, kind)

    def lock(self, segment: str) -> Path:
        """The lock file of a segment."""
        return self._path(segment, layout.LOCK)

    @contextmanager
    def locked(self, segment: str) -> Iterator[None]:
        """Hold a segment's lock; meanwhile every write for the segment checks the lock."""
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

    def segments_held(self) -> set[str]:
        """The segments that a living process trains."""
        files = self._files(layout.LOCK)
        return {segment for path, segment in files.items() if locks.is_held(path)}

    def drop_abandoned_locks(self) -> None:
        """Remove the locks of dead processes; if their runs are done, no other process does it."""
        for path in [*self._files(layout.LOCK), *layout.hidden_locks(self.folder)]:
            locks.take_away(path)

    def make_folder(self) -> None:
        """Make the folder for states and locks."""
        with room_for(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)

    def has(self, segment: str) -> bool:
        """Whether there is a state file; the file may be damaged."""
        return self._path(segment, layout.STATE).is_file()

    def load(self, segment: str) -> State | None:
        """The state at a segment's end, if it exists and is complete."""
        return self._read(self._path(segment, layout.STATE))

    def load_partial(self, segment: str) -> State | None:
        """The last checkpoint within a segment, if it exists and is complete."""
        return self._read(self._path(segment, layout.PARTIAL))

    def _read(self, path: Path) -> State | None:
        try:
            return unpack(path.read_bytes())
        except FileNotFoundError:
            return None
        except (Damaged, OSError) as error:
            aside = layout.damaged(path)
            os.replace(path, aside)
            self._say(f"{path}: damaged, {error}; set aside as {aside.name} and computed again")
            return None

    def save(self, segment: str, state: State) -> None:
        """Store the state at a segment's end, and remove its checkpoint.

        Raises:
            LockLost: see `check`.
        """
        self.check(segment)
        records.write_atomically(self._path(segment, layout.STATE), pack(state))
        self.drop_partial(segment)

    def save_partial(self, segment: str, state: State) -> None:
        """Store a checkpoint within a segment; LockLost as in `check`."""
        self.check(segment)
        records.write_atomically(self._path(segment, layout.PARTIAL), pack(state))

    def drop_partial(self, segment: str) -> None:
        """Remove the checkpoint within a segment; LockLost as in `check`."""
        self.check(segment)
        self._path(segment, layout.PARTIAL).unlink(missing_ok=True)

    def mark_failed(self, segment: str, error: dict[str, str]) -> None:
        """Record that a segment could not be trained; no run of this sweep tries it again."""
        self.make_folder()
        records.write_atomically(self._path(segment, layout.ERROR), records.as_json(error))

    def failure(self, segment: str) -> dict[str, str] | None:
        """The failure that `mark_failed` recorded for a segment, or None."""
        path = self._path(segment, layout.ERROR)
        if not path.is_file():
            return None
        error: dict[str, str] = records.read_json(path, "the error of a segment")
        return error

    def forget_failures(self) -> None:
        """Remove all recorded failures, because a new sweep tries all segments again."""
        for path in self._files(layout.ERROR):
            path.unlink(missing_ok=True)

    def clean(self, needed: set[str]) -> list[Path]:
        """Remove states and checkpoints of segments that are not needed; return their files."""
        removed = []
        for kind in (layout.STATE, layout.PARTIAL):
            for path, segment in self._files(kind).items():
                if segment not in needed:
                    path.unlink(missing_ok=True)
                    removed.append(path)
        return removed
