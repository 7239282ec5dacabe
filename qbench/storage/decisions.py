"""Decisions on numbers of steps on disk, and the states of the first stages that make them."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from qbench.storage import layout, records
from qbench.storage.store import Say, Store

SCHEMA = 1
WAITING = "the decisions of a sweep"
"""What `deciding.json` holds, for messages."""

Record = dict[str, Any]


class Decisions(Store):
    """The decisions below one root folder, with locks, checkpoints and failures as of segments."""

    def __init__(self, root: Path, say: Say) -> None:
        """`say` is called with a line for each damaged file."""
        super().__init__(root, say)
        self._below, self._tell = root, say
        self.folder = layout.decisions_folder(root)

    def _path(self, segment: str, kind: str) -> Path:
        return layout.decision_file(self._below, segment, kind)

    def _files(self, kind: str) -> dict[Path, str]:
        return layout.decision_files(self._below, kind)

    def read(self, decision: str) -> Record | None:
        """The record of a decision, or None; a damaged one is set aside."""
        path = layout.decision_record(self._below, decision)
        if not path.is_file():
            return None
        record = _record_in(path)
        if record is None or record["decision"] != decision:
            aside = layout.damaged(path)
            os.replace(path, aside)
            self._tell(f"{path}: damaged; set aside as {aside.name} and decided again")
            return None
        return record

    def write(self, decision: str, content: Mapping[str, Any]) -> None:
        """Store a decision and remove the checkpoint; an earlier decision is not replaced.

        Args:
            decision: its id; the caller holds its lock.
            content: plain data.

        Raises:
            LockLost: see `check`.
        """
        self.check(decision)
        if self.read(decision) is None:
            record = {"schema": SCHEMA, "decision": decision, **content}
            sealed = {**record, "checksum": records.content_id(record)}
            path = layout.decision_record(self._below, decision)
            records.write_atomically(path, records.as_json(sealed))
        self.drop_partial(decision)


def all_decisions(root: Path) -> list[Record]:
    """The records of all decisions below a root that can be read; reads only."""
    found = (_record_in(path) for path in layout.decision_records(root))
    return [record for record in found if record is not None]


def waited_for(root: Path) -> set[str]:
    """The decisions that sweeps below a root wait for, or waited for when they were stopped."""
    lists = [records.read_json(path, WAITING) for path in layout.waiting_lists(root)]
    return {one["id"] for told in lists for one in told["decisions"]}


def _record_in(path: Path) -> Record | None:
    """The record in a file; None if it is missing or damaged."""
    try:
        record = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    if not isinstance(record, dict) or record.get("schema") != SCHEMA:
        return None
    rest = {key: value for key, value in record.items() if key != "checksum"}
    return record if record.get("checksum") == records.content_id(rest) else None
