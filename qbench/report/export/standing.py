"""Where a run stands: the sweep whose table has it, and its row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from qbench.base.errors import QbenchError
from qbench.base.plain import storable
from qbench.report import deployed
from qbench.report.collect import Sweep, collect
from qbench.storage import conversions, layout, manifests, records
from qbench.tasks.task import recorded


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
            the run, the first by name among equals.

    Raises:
        QbenchError: the run is not finished or is damaged, or the sweep does not have it.
    """
    record = records.read_record(folder)
    if not record["metrics"]:
        raise QbenchError(f"{folder}: this run ended as {record['status']}; it has no figures.")
    found = _sweeps(layout.root_of_run(folder)) if sweep is None else [sweep]
    having = [one for one in found if record["run"] in manifests.runs_in(_manifest(one))]
    if sweep is not None and not having:
        raise QbenchError(f"{sweep}: the table of this sweep does not have the run {folder.name}.")
    if not having:
        return _alone(folder, record)
    chosen = collect(max(having, key=lambda one: len(_manifest(one)["seeds"])))
    row, run = next(
        (row, run)
        for row in chosen.manifest["rows"]
        for run in row["runs"]
        if run["id"] == record["run"]
    )
    return Standing(folder, chosen, row, run, has_table=True)


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
