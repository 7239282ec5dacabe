"""Removes stored states that no unfinished run needs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from qbench.storage import layout, records
from qbench.storage.decisions import Decisions, waited_for
from qbench.storage.manifests import read_manifest
from qbench.storage.store import Store


def clean(root: Path) -> list[Path]:
    """Remove the states and checkpoints that no unfinished run of any sweep in `root` needs.

    A run needs only the deepest stored state of its path: training continues from there. A
    checkpoint stays if its segment is on the path of an unfinished run; that of a first stage, if a
    sweep waits for its decision.

    Returns:
        The removed files.
    """
    store = Store(root, lambda text: None)
    needed: set[str] = set()
    for manifest in manifests(root):
        for run in _runs(manifest):
            if records.finished(root, run["id"]):
                continue
            deepest = next((s for s in reversed(run["segments"]) if store.has(s)), None)
            below = run["segments"].index(deepest) if deepest else 0
            needed.update(run["segments"][below:])
    decisions = Decisions(root, lambda text: None)
    return [
        *store.clean(needed | store.segments_held()),
        *decisions.clean(waited_for(root) | decisions.segments_held()),
    ]


def manifests(root: Path) -> list[dict[str, Any]]:
    """The manifests of all sweeps that keep their runs below `root`."""
    folders = [root] if (root / layout.MANIFEST).is_file() else []
    return [read_manifest(folder) for folder in [*folders, *layout.sweeps(root)]]


def _runs(manifest: dict[str, Any]) -> list[dict[str, Any]]:
    return [run for row in manifest["rows"] for run in row["runs"]]
