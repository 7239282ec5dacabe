"""The converted files of a sweep, one line for each row of the table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from qbench.deploy.lite import KERNELS
from qbench.report.collect import Sweep
from qbench.report.deployed import PATH, Report
from qbench.report.differences import float_values
from qbench.storage.conversions import WITHOUT_FILE

FLOAT, SIMULATED = "float", "simulated"


@dataclass(frozen=True)
class Files:
    """The files of one row, of the seeds whose file was measured.

    Attributes:
        label: the label of the row.
        megabytes: the size of a file in 10^6 bytes.
        each: the sweep's first metric of every seed: of the float row of the same network as
            `FLOAT`, in simulation as `SIMULATED`, of files by kernel path. One is missing if a seed
            has no value there.
    """

    label: str
    megabytes: float
    each: Mapping[str, tuple[float, ...]]

    @property
    def simulated(self) -> float:
        """The mean of the metric in simulation."""
        return fmean(self.each[SIMULATED])

    @property
    def deployed(self) -> float:
        """The mean of the metric on the kernel path of the tables, XNNPACK."""
        return fmean(self.each[PATH])


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
    floats = float_values(sweep, row)
    each = {
        FLOAT: _known(floats.get((run["seed"],)) for run, _ in measured),
        SIMULATED: _known(sweep.records[run["id"]]["metrics"][name] for run, _ in measured),
        **{path: _known(_on(report, path, name) for report in reports) for path in KERNELS},
    }
    return Files(
        row["label"],
        fmean(report["bytes"] for report in reports) / 1e6,
        {step: values for step, values in each.items() if values},
    )


def _on(report: Report, path: str, name: str) -> float | None:
    """The metric of a file on a kernel path; None if it was not measured."""
    if report["export"] in WITHOUT_FILE:
        return None
    value: float | None = report["kernels"].get(path, {}).get(name)
    return value


def _known(values: Iterable[float | None]) -> tuple[float, ...]:
    """The values; none of them if one is missing."""
    found = list(values)
    known = tuple(value for value in found if value is not None)
    return known if len(known) == len(found) else ()
