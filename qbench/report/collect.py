"""A sweep's manifest and records as data frames."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from qbench.base.plain import storable
from qbench.engine.progress import remarks, say
from qbench.planning import factors
from qbench.planning.settings import REPRESENTATIVE
from qbench.planning.stats import DEFAULT_STATS, Stats, check_stats
from qbench.report import deployed, values
from qbench.report.balance import balanced
from qbench.report.rows import spread, worst
from qbench.storage import conversions, layout, manifests, records
from qbench.tasks.metric import Metric, check_alike, leading, validation_columns
from qbench.tasks.recorded import Recorded, recorded

COLUMNS = [setting.column for setting in factors.COLUMNS]
MEMBERS = "members"


@dataclass(frozen=True)
class Sweep:
    """All data for a report.

    Attributes:
        folder: the sweep's own folder.
        manifest: the manifest of the sweep.
        records: the run records by run id; runs without a record are missing.
        task: the task of all records.
        exports: the reports of converted files, by the id of runs with metrics; see
            `deployed.comparable`.
        references: the reports of float runs that were quantized after training.
        stats: how its rows are compared.
        left_out: the seeds that are begun and not complete, if the sweep is done seed by seed. The
            manifest here is without their runs.
    """

    folder: Path
    manifest: dict[str, Any]
    records: dict[str, dict[str, Any]]
    task: Recorded
    exports: dict[str, deployed.Report]
    references: dict[str, deployed.Report]
    stats: Stats = DEFAULT_STATS
    left_out: tuple[int, ...] = ()

    @property
    def looks(self) -> int:
        """How often its rows were to be compared to end it; 1 if results do not end it."""
        return int(self.manifest.get("by_seed", {}).get("looks", 1))

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """All metrics of its table, in the order of their columns."""
        return self.task.metrics

    @property
    def metric(self) -> Metric:
        """The first metric, which differences and figures show."""
        return self.metrics[0]

    @property
    def validation(self) -> tuple[Metric, ...]:
        """The metrics with columns for validation images; none if no run has such images."""
        has_part = any("validation" in record for record in self.records.values())
        return leading(self.metrics) if has_part else ()

    @property
    def remarks(self) -> list[str]:
        """The notes on the data for every output with values."""
        return remarks(self.data)

    @property
    def data(self) -> list[dict[str, Any]]:
        """The facts about the data of each run, with the note and the classes that the sweep got.

        Older manifests hold no notes; then the record counts.
        """
        return [
            _as_swept(record["data"], row)
            for row in self.manifest["rows"]
            for run in row["runs"]
            if (record := self.records.get(run["id"]))
        ]

    def history(self, run: str) -> pd.DataFrame:
        """Columns step, phase, loss."""
        return pd.read_csv(self.run_folder(run) / layout.HISTORY)

    def run_folder(self, run: str) -> Path:
        """The folder of one of its runs."""
        return layout.run_folder(layout.root_of_sweep(self.folder, self.manifest), run)

    @property
    def trained(self) -> list[dict[str, Any]]:
        """The rows of trained runs, without derived rows."""
        return [row for row in self.manifest["rows"] if "derived" not in row]

    @property
    def derived(self) -> list[dict[str, Any]]:
        """The rows that are computed from the runs of other rows."""
        return [row for row in self.manifest["rows"] if "derived" in row]

    @property
    def finished(self) -> list[dict[str, Any]]:
        """The records with metrics."""
        return [record for record in self.records.values() if record["metrics"]]


def _as_swept(data: dict[str, Any], row: Mapping[str, Any]) -> dict[str, Any]:
    """The facts about the data of a record, as the row of the sweep has them."""
    if "note" not in row:
        return data
    return {**data, "note": row["note"], "classes": row.get("classes", [])}


def collect(folder: Path, stats: Mapping[str, Any] | None = None) -> Sweep:
    """Read a sweep; damaged runs count as missing.

    Args:
        folder: the sweep's own folder.
        stats: values of the group `stats`, by name, in place of those of the sweep.

    Raises:
        QbenchError: the folder holds no sweep, its rows have different metrics, or its table does
            not allow the comparison.
    """
    manifest = storable(manifests.read_manifest(folder))
    root = layout.root_of_sweep(folder, manifest)
    runs = manifests.runs_in(manifest)
    read = {run: record for run in runs if (record := _record(root, run)) is not None}
    manifest, left_out = balanced(manifest, read)
    found = {run: read[run] for run in manifests.runs_in(manifest) if run in read}
    exports, references = (_exports(root, found, kind) for kind in (None, REPRESENTATIVE))
    chosen = _stats(manifest, stats or {})
    task = _task(folder, found)
    return Sweep(folder, manifest, found, task, exports, references, chosen, left_out)


def _stats(manifest: Mapping[str, Any], given: Mapping[str, Any]) -> Stats:
    """How the rows are compared: as given, else as the sweep says; older manifests say nothing."""
    stats = DEFAULT_STATS.with_values({**manifest.get("stats", {}), **given})
    if given:
        rows = (row for row in manifest["rows"] if "derived" not in row and row["reason"] is None)
        check_stats(stats, [row["label"] for row in rows], manifest["seeds"])
    return stats


def _task(folder: Path, found: Mapping[str, Mapping[str, Any]]) -> Recorded:
    """The task of all records; if there is no record, the task of records without a task."""
    data = [record["data"] for record in found.values()]
    tasks = [recorded(one) for one in data]
    check_alike(
        str(folder),
        [(one["name"], task.metrics) for one, task in zip(data, tasks, strict=True)],
    )
    return next(iter(tasks), recorded(None))


def _exports(
    root: Path, found: Mapping[str, Mapping[str, Any]], calibration: str | None
) -> dict[str, deployed.Report]:
    """The reports of the converted files of these runs, by run; damaged reports are named."""
    exports = {}
    for run, record in found.items():
        folder = layout.run_folder(root, run)
        report = conversions.read(folder, calibration)
        path = folder / layout.conversion_report(calibration)
        if report is None and path.exists():
            say(f"{path}: damaged; its file is left out until the run is converted again.")
        elif report is not None and record["metrics"]:
            images = record["data"]["test_images"]
            exports[run] = deployed.comparable(storable(report), images, calibration)
    return exports


def _record(root: Path, run: str) -> dict[str, Any] | None:
    """The record of a run; a damaged record is named and counts as missing."""
    try:
        record: dict[str, Any] | None = storable(records.existing_record(root, run))
        return record
    except records.DamagedRun as error:
        say(f"{error} The run counts as missing.")
        return None


def runs_frame(sweep: Sweep) -> pd.DataFrame:
    """One line for each run and seed, in the order of the table.

    If there are derived rows, the last column has the ids of the runs that a run is computed from.
    A derived run has no seed.
    """
    lines = []
    for row in sweep.manifest["rows"]:
        head = {"configuration": row["label"], "quantized": _yes(row["quantized"])}
        if row["reason"] is not None:
            lines.append(
                {**head, **row["factors"], "status": "not_applicable", "error": row["reason"]}
            )
        for run in row["runs"]:
            record = sweep.records.get(run["id"])
            lines.append(
                {
                    **head,
                    **row["factors"],
                    "seed": run["seed"],
                    "run": run["id"],
                    **_outcome(record),
                    **deployed.cells(sweep.exports.get(run["id"]), sweep.metrics),
                    MEMBERS: " ".join(run.get("members", ())),
                }
            )
    columns = ["configuration", "seed", "run", "status", *_names(sweep.metrics)]
    columns += [*_validation_names(sweep.validation), "size_mb", "quantized", *COLUMNS]
    columns += ["steps_float", "steps_quantized", "seconds", "error"]
    columns += deployed.of_runs(sweep.metrics) if sweep.exports else []
    columns += [MEMBERS] if sweep.derived else []
    return pd.DataFrame(lines).reindex(columns=columns).astype({"seed": "Int64"})


def _names(metrics: Iterable[Metric]) -> list[str]:
    return [metric.name for metric in metrics]


def _validation_names(metrics: Iterable[Metric]) -> list[str]:
    """The columns of metrics on validation images."""
    return list(validation_columns(dict.fromkeys(_names(metrics))))


def _yes(value: bool) -> str:
    return "yes" if value else "no"


def _outcome(record: dict[str, Any] | None) -> dict[str, Any]:
    """The cells of a record; a run without a record is missing."""
    if record is None:
        return {"status": "missing"}
    return {
        "status": record["status"],
        "error": (record["error"] or {}).get("message"),
        **(record["metrics"] or {}),
        **validation_columns(record.get("validation", {}).get("metrics") or {}),
        "size_mb": (record["size"] or {}).get("megabytes"),
        "steps_float": record["steps"]["float"],
        "steps_quantized": record["steps"]["quantized"],
        "seconds": round(sum(record["seconds"].values()), 3),
    }


def table_frame(sweep: Sweep) -> pd.DataFrame:
    """One line for each configuration; means over the seeds that have values.

    With several seeds, `<metric>_std` columns hold the sample standard deviation, except for
    ensembles that share seeds.
    """
    runs = runs_frame(sweep)
    names = [*_names(sweep.metrics), *_validation_names(sweep.validation)]
    several = len(sweep.manifest["seeds"]) > 1
    lines = []
    for row in sweep.manifest["rows"]:
        mine = runs[runs["configuration"] == row["label"]]
        line: dict[str, Any] = {key: values.mean_of(mine[key]) for key in [*names, "size_mb"]}
        line |= {"quantized": _yes(row["quantized"]), **row["factors"]}
        line |= {"n_seeds": int(mine[sweep.metric.name].notna().sum())}
        line |= {"configuration": row["label"], "status": worst(list(mine["status"]))}
        if sweep.exports:
            line |= deployed.of_configuration(mine, sweep.metrics, several)
        if several:
            line |= {f"{key}_std": spread(row, mine[key]) for key in names}
        lines.append(line)
    return pd.DataFrame(lines)[_table_columns(sweep, several)]


def _table_columns(sweep: Sweep, several: bool) -> list[str]:
    """Columns of table.csv; the last one, `configuration`, names differences from the default."""
    metrics, validation = sweep.metrics, _validation_names(sweep.validation)
    first = _names(leading(metrics))
    later = [name for name in _names(metrics) if name not in first]
    columns = [*first, *validation, "quantized", *COLUMNS, "size_mb", *later, "status", "n_seeds"]
    if several:
        columns += [f"{name}_std" for name in [*_names(metrics), *validation]]
    if sweep.exports:
        columns += deployed.columns(metrics)
        columns += deployed.of_seeds(metrics) if several else []
    return [*columns, "configuration"]
