"""Every converted file on every kernel path of the runtime."""

from __future__ import annotations

from collections.abc import Mapping
from math import isnan, nan
from statistics import fmean, stdev
from typing import Any

from qbench.deploy.lite import KERNELS
from qbench.report.collect import Sweep
from qbench.report.deployed import AGREEMENT
from qbench.report.section import Section
from qbench.report.texts import Lines
from qbench.report.values import mean
from qbench.storage.conversions import WITHOUT_FILE
from qbench.tasks.metric import Metric

TITLE = "Converted files on every kernel path"
_EXPLAINED = (
    "One file gives different answers on different kernels. Differences are of {0} from those of"
    " the simulation with the file's fixed ranges, in steps of the output's grid (of float files,"
    " in {0}). Of several seeds these are means ± standard deviations, and the largest difference"
    " of all."
)
_ERROR = "could not run"

Measured = Mapping[str, Any]


def kernel_paths(sweep: Sweep) -> list[Section]:
    """A section with a line for each row and kernel path, if a file was measured."""
    several = len(sweep.manifest["seeds"]) > 1
    head = ["configuration", "kernels", sweep.metric.heading, AGREEMENT.heading]
    head += ["largest", "mean difference", *(["seeds"] if several else [])]
    body: Lines = []
    for row in sweep.manifest["rows"]:
        reports = [sweep.exports.get(run["id"]) for run in row["runs"]]
        kernels = [
            report["kernels"]
            for report in reports
            if report and report["export"] not in WITHOUT_FILE
        ]
        for path in KERNELS:
            measured = [one[path] for one in kernels if path in one]
            if measured:
                body.append([row["label"], path, *_figures(measured, sweep.metric, several)])
    if not body:
        return []
    # Few sweeps have errors, so the column of errors is there only if it has one.
    if any(line[-1] for line in body):
        head.append(_ERROR)
    else:
        body = [line[:-1] for line in body]
    explained = _EXPLAINED.format(sweep.task.output_name)
    return [Section(TITLE, explained, [("", [head, *body])])]


def _figures(measured: list[Measured], metric: Metric, several: bool) -> list[str]:
    """The cells of a row on one path; the last cell says why seeds have no values."""
    good = [one for one in measured if "error" not in one]
    cells = [mean(one, _values(good, one.name)) for one in (metric, AGREEMENT)]
    cells.append(_short(max(_values(good, "largest_difference"), default=nan)))
    cells.append(_mean(_values(good, "mean_difference")))
    cells += [str(len(good))] if several else []
    errors = dict.fromkeys(one["error"] for one in measured if "error" in one)
    return [*cells, "; ".join(errors)]


def _values(measured: list[Measured], key: str) -> list[float]:
    return [one[key] for one in measured if one.get(key) is not None]


def _mean(values: list[float]) -> str:
    shown = _short(fmean(values) if values else nan)
    return f"{shown} ± {stdev(values):.2g}" if len(values) > 1 else shown


def _short(value: float) -> str:
    return "-" if isnan(value) else f"{value:.3g}"
