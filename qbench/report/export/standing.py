"""Where a run stands: the sweep whose table has it, and its row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from qbench.base.errors import QbenchError
from qbench.base.plain import storable
from qbench.engine.progress import say
from qbench.report import deployed
from qbench.report.collect import Sweep, collect
from qbench.storage import conversions, layout, manifests, records
from qbench.tasks.recorded import recorded


@dataclass(frozen=True)
class Standing:
    """A run in its sweep.

    Attributes:
        folder: the folder of the run.
        sweep: the sweep; of a run that is in no table, a sweep of this run alone.
        row: its row in the manifest.
        run: the run in this row.
        has_table: whether a table has the run.
    """

    folder: Path
    sweep: Sweep
    row: Mapping[str, Any]
    run: Mapping[str, Any]
    has_table: bool

    @property
    def record(self) -> dict[str, Any]:
        """The run record."""
        return self.sweep.records[self.run["id"]]

    @property
    def label(self) -> str:
        """The label of the row."""
        return str(self.row["label"])


def standing(folder: Path, sweep: Path | None = None) -> Standing:
    """Find the table of a finished run.

    Args:
        folder: the folder of the run.
        sweep: the folder of the sweep. None: the sweep with the most seeds among those that have
            the run, the first by name among equals. A table leaves out seeds that are begun and not
            complete, and then it does not have their runs.

    Raises:
        QbenchError: the run is not finished or is damaged, or the sweep does not have it.
    """
    record = records.read_record(folder)
    if not record["metrics"]:
        raise QbenchError(f"{folder}: this run ended as {record['status']}; it has no figures.")
    if sweep is not None:
        having = [sweep] if record["run"] in manifests.runs_in(_manifest(sweep)) else []
    else:
        having = _having(layout.root_of_run(folder), record["run"])
    for one in having:
        found = _in_table(folder, collect(one), record["run"])
        if found:
            return found
    if sweep is not None:
        raise QbenchError(f"{sweep}: the table of this sweep does not have the run {folder.name}.")
    return _alone(folder, record)


def _having(root: Path, run: str) -> list[Path]:
    """The sweeps that name a run, those with the most seeds first; damaged ones are named."""
    seeds: dict[Path, int] = {}
    for one in _sweeps(root):
        try:
            manifest = _manifest(one)
        except QbenchError as error:
            say(f"{error} This sweep is left out.")
            continue
        if run in manifests.runs_in(manifest):
            seeds[one] = len(manifest["seeds"])
    return sorted(seeds, key=lambda one: -seeds[one])


def _in_table(folder: Path, sweep: Sweep, name: str) -> Standing | None:
    """A run in the table of a sweep; None if the table leaves it out."""
    for row in sweep.manifest["rows"]:
        for run in row["runs"]:
            if run["id"] == name:
                return Standing(folder, sweep, row, run, has_table=True)
    return None


def _sweeps(root: Path) -> list[Path]:
    own = [root] if (root / layout.MANIFEST).is_file() else []
    return [*own, *layout.sweeps(root)]


def _manifest(sweep: Path) -> dict[str, Any]:
    return manifests.read_manifest(sweep)


def _alone(folder: Path, record: dict[str, Any]) -> Standing:
    """A run that was trained by itself."""
    run = {"seed": record["seed"], "id": record["run"]}
    name = record["data"]["name"]
    row = {"label": name, "changes": {}, "reason": None, "factors": record["factors"]}
    row |= {"quantized": record["quantized"], "runs": [run]}
    root = layout.root_of_run(folder)
    manifest = {"study": name, "design": {"name": "", "levels": {}}, "seeds": [record["seed"]]}
    manifest |= {"runs": layout.runs_seen_from(root, root), "rows": [row]}
    report = conversions.read(folder)
    images = record["data"]["test_images"]
    exports = {record["run"]: deployed.comparable(storable(report), images)} if report else {}
    task, known = recorded(record["data"]), {record["run"]: record}
    return Standing(folder, Sweep(root, manifest, known, task, exports, {}), row, run, False)
