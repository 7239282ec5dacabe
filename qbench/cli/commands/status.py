"""The verb `status`."""

from __future__ import annotations

from pathlib import Path

from qbench.base.errors import QbenchError
from qbench.base.paths import given
from qbench.planning.derived import run_name
from qbench.storage import layout, manifests, records
from qbench.storage.locks import is_held
from qbench.storage.store import Store

HELP = """usage: qbench status DIR

Shows the runs of the sweep in DIR: done, running, failed or waiting. Reads only.
"""

DONE, RUNNING, FAILED, WAITING = "done", "running", "failed", "waiting"


def main(arguments: list[str]) -> int:
    """Run the verb."""
    if len(arguments) != 1:
        raise QbenchError("qbench status takes the folder of one sweep: qbench status DIR.")
    states = run_states(given(arguments[0]))
    for label, state in states:
        print(f"{state:<8} {label}")
    counts = [sum(state == kind for _, state in states) for kind in _KINDS]
    print(", ".join(f"{count} {kind}" for count, kind in zip(counts, _KINDS, strict=True)))
    return 0


_KINDS = (DONE, RUNNING, FAILED, WAITING)


def run_states(folder: Path) -> list[tuple[str, str]]:
    """(label, state) of every run of the sweep in `folder`, in the order of its table.

    A run is done if it has a record, even if it diverged. It is running while a living process
    trains a segment on its path. A derived run, which no process trains, waits for its members.
    """
    manifest = manifests.read_manifest(folder)
    root = layout.root_of_sweep(folder, manifest)
    store = Store(root, lambda text: None)
    states = []
    for row in manifest["rows"]:
        for run in row["runs"]:
            label = run_name(row, run)
            states.append((label, _state(root, store, run["id"], run["segments"])))
    return states


def _state(root: Path, store: Store, run: str, segments: list[str]) -> str:
    if records.finished(root, run):
        return DONE
    if any(is_held(store.lock(segment)) for segment in segments):
        return RUNNING
    try:
        return FAILED if records.existing_record(root, run) else WAITING
    except records.DamagedRun:
        return WAITING
