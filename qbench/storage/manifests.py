"""Writes and reads the manifests of sweeps: the rows of a table, and their runs."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from qbench.base.errors import QbenchError
from qbench.storage import records
from qbench.storage.layout import MANIFEST, sweeps


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of a sweep; QbenchError if it is missing, damaged or has another schema."""
    path = folder / MANIFEST
    if not path.is_file() and folder.is_dir():
        inside = [str(sweep) for sweep in sweeps(folder)]
        if inside:
            raise QbenchError(f"{folder}: holds several sweeps; choose one: {', '.join(inside)}.")
    manifest: dict[str, Any] = records.read_json(path, "the manifest of a sweep")
    if not isinstance(manifest, dict) or manifest.get("schema") != records.SCHEMA:
        raise QbenchError(f"{path}: not a manifest of schema {records.SCHEMA}.")
    return manifest


def write_manifest(
    folder: Path, manifest: Mapping[str, Any], planned: Collection[str] = ()
) -> None:
    """Write the manifest of a sweep's table.

    Args:
        folder: the folder of the table.
        manifest: the manifest.
        planned: the ids of runs that are part of the sweep, but not begun.

    Raises:
        QbenchError: the folder holds the table of another sweep with runs that this sweep lacks.
            The new table would lose them.
    """
    if (folder / MANIFEST).is_file():
        lost = runs_in(read_manifest(folder)).keys() - runs_in(manifest) - set(planned)
        if lost:
            raise QbenchError(
                f"out={folder}: holds the table of another sweep, {len(lost)} of whose runs are not"
                " part of this one; choose another folder."
            )
    records.write_atomically(folder / MANIFEST, records.as_json(manifest))


def runs_in(manifest: Mapping[str, Any]) -> dict[str, None]:
    """The ids of all runs of a sweep, in the order of its table."""
    return {run["id"]: None for row in manifest["rows"] for run in row["runs"]}


def trained_in(manifest: Mapping[str, Any]) -> set[str]:
    """The ids of all runs of a sweep except derived runs, which are computed from other runs."""
    rows = (row for row in manifest["rows"] if "derived" not in row)
    return {run["id"] for row in rows for run in row["runs"]}
