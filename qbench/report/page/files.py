"""The converted files of a sweep, one line for each row of the table."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from qbench.deploy.lite import KERNELS
from qbench.report.collect import Sweep
from qbench.report.deployed import PATH, Report
from qbench.report.differences import float_values
from qbench.storage.conversions import WITHOUT_FILE


@dataclass(frozen=True)
class Files:
    """The files of one row: means over the seeds whose file was measured.

    Attributes:
        label: the label of the row.
        megabytes: the size of a file in 10^6 bytes.
        floating: the sweep's first metric of the float row of the same network and seeds; None if
            one of them has no value.
        simulated: the metric in simulation.
        paths: the metric by kernel path; a path is missing if it could not run a file.
        seeds: the number of seeds.
    """

    label: str
    megabytes: float
    floating: float | None
    simulated: float
    paths: dict[str, float]
    seeds: int

    @property
    def deployed(self) -> float:
        """The metric on the kernel path of the tables, XNNPACK."""
        return self.paths[PATH]


def files(sweep: Sweep) -> list[Files]:
    """The rows with measured files, in the order of the table."""
    found = [_row(sweep, row) for row in sweep.trained]
    return [row for row in found if row]


def _row(sweep: Sweep, row: dict[str, Any]) -> Files | None:
    name = sweep.metric.name
    measured = [
        (run, report)
        for run in row["runs"]
        if (report := sweep.exports.get(run["id"])) and _on(report, PATH, name) is not None
    ]
    if not measured:
        return None
    reports = [report for _, report in measured]
    paths = {path: _mean(_on(report, path, name) for report in reports) for path in KERNELS}
    floats = float_values(sweep, row)
    simulated = [sweep.records[run["id"]]["metrics"][name] for run, _ in measured]
    return Files(
        row["label"],
        fmean(report["bytes"] for report in reports) / 1e6,
        _mean(floats.get((run["seed"],)) for run, _ in measured),
        fmean(simulated),
        {path: value for path, value in paths.items() if value is not None},
        len(measured),
    )


def _on(report: Report, path: str, name: str) -> float | None:
    """The metric of a file on a kernel path; None if it was not measured."""
    if report["export"] in WITHOUT_FILE:
        return None
    value: float | None = report["kernels"].get(path, {}).get(name)
    return value


def _mean(values: Iterable[float | None]) -> float | None:
    """The mean; None if one value is missing."""
    found = list(values)
    known = [value for value in found if value is not None]
    return fmean(known) if len(known) == len(found) else None
