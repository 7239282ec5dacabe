"""Selects the latencies of a sweep that one figure can show: they were timed in the same way."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from qbench.base.errors import QbenchError
from qbench.engine.progress import say
from qbench.report.collect import Sweep
from qbench.report.deployed import Report
from qbench.report.texts import counted, short
from qbench.storage import layout, records
from qbench.storage.conversions import WITHOUT_FILE
from qbench.tasks.metric import Metric


@dataclass(frozen=True)
class Point:
    """A row's file on one kernel path, with one number of threads and of images.

    Attributes:
        label: the label of the row.
        kind: `float`, `int8` or `16x8`.
        kernels: the kernel path.
        batch: number of images in an invocation.
        threads: number of threads.
        milliseconds: the median of an invocation.
        value: the sweep's first metric, measured on the file on this path.
        seeds: milliseconds and value of each seed, if these are means over several.
    """

    label: str
    kind: str
    kernels: str
    batch: int
    threads: int
    milliseconds: float
    value: float
    seeds: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True, kw_only=True)
class Timing(Point):
    """A point of one run, before the mean over the seeds; `run` is its name in sentences."""

    run: str


Reasons = dict[str, list[str]]
"""The runs that are left out, by the reason."""


def points(sweep: Sweep) -> tuple[list[Point], list[str]]:
    """The points to draw, and sentences about the rest.

    All points have the batch of most timed rows. On each kernel path, all points have the number of
    threads of most of these rows. If several numbers are equally frequent, the smallest counts.

    Returns:
        The points in the order of the table, and a sentence for each reason to leave timed runs
        out, completely or on a path.
    """
    found, reasons = _read(sweep)
    alike = _alike(found, lambda one: one.batch)
    for one in found:
        if one not in alike:
            _add(reasons, f"timed with batch {one.batch}", one.run)
    kept = []
    for path in dict.fromkeys(one.kernels for one in alike):
        mine = [one for one in alike if one.kernels == path]
        chosen = _alike(mine, lambda one: one.threads)
        drawn = {one.run for one in chosen}
        for one in mine:
            if one.run not in drawn:
                _add(reasons, f"not timed with {_threads(chosen)} on {path}", one.run)
        kept += chosen
    return _means(kept, sweep), [f"Left out: {', '.join(v)} ({k})." for k, v in reasons.items()]


def _alike(found: list[Timing], setting: Callable[[Timing], int]) -> list[Timing]:
    """The rows with the most frequent setting; if several are equally frequent, the smallest."""
    rows: dict[int, set[str]] = {}
    for one in found:
        rows.setdefault(setting(one), set()).add(one.label)
    chosen = min(rows, key=lambda value: (-len(rows[value]), value), default=None)
    return [one for one in found if setting(one) == chosen]


def _threads(chosen: list[Timing]) -> str:
    return counted(chosen[0].threads, "thread")


def _means(kept: list[Timing], sweep: Sweep) -> list[Point]:
    """A point for each row, kind and path, in the order of the table."""
    groups: dict[tuple[str, str, str, int, int], list[Timing]] = {}
    for label in (row["label"] for row in sweep.manifest["rows"]):
        for one in kept:
            if one.label == label:
                key = label, one.kind, one.kernels, one.batch, one.threads
                groups.setdefault(key, []).append(one)
    found = []
    for key, mine in groups.items():
        seeds = tuple((one.milliseconds, one.value) for one in mine)
        means = fmean(one.milliseconds for one in mine), fmean(one.value for one in mine)
        found.append(Point(*key, *means, seeds if len(seeds) > 1 else ()))
    return found


def _read(sweep: Sweep) -> tuple[list[Timing], Reasons]:
    """Every timing of a file with a known metric; damaged reports are named."""
    several = len(sweep.manifest["seeds"]) > 1
    found: list[Timing] = []
    reasons: Reasons = {}
    for row in sweep.manifest["rows"]:
        for run in row["runs"]:
            path = sweep.run_folder(run["id"]) / layout.LATENCY
            report = sweep.exports.get(run["id"])
            if report is None or not path.is_file():
                continue
            name = short(row["label"]) + (f" seed {run['seed']}" if several else "")
            try:
                timed = _latency(path)
                found += _timings(row["label"], name, timed, report, sweep.metric, reasons)
            except (QbenchError, AttributeError, LookupError, TypeError, ValueError) as error:
                reason = error if isinstance(error, QbenchError) else f"{path}: damaged"
                say(f"{reason}; its latency is left out.")
    return found, reasons


def _latency(path: Path) -> dict[str, Any]:
    latency: dict[str, Any] = records.read_json(path, "latencies")
    return latency


def _timings(
    label: str,
    name: str,
    latency: Mapping[str, Any],
    report: Report,
    metric: Metric,
    reasons: Reasons,
) -> Iterable[Timing]:
    """The timings of one run."""
    if report["export"] in WITHOUT_FILE:
        _add(reasons, "not converted", name)
        return []
    if latency["sha256"] != report["sha256"]:
        _add(reasons, "converted anew since it was timed", name)
        return []
    if "left_out" in report:
        _add(reasons, f"its file was {report['left_out']}", name)
        return []
    kind = layout.kind_of_converted(latency["file"])
    found = []
    for row in latency["rows"]:
        value = report["kernels"].get(row["kernels"], {}).get(metric.name)
        if "error" not in row and value is not None:
            setting = int(latency["batch"]), int(row["threads"])
            median = float(row["milliseconds"][kind]["median"])
            found.append(Timing(label, kind, row["kernels"], *setting, median, value, run=name))
    for path in dict.fromkeys(row["kernels"] for row in latency["rows"]):
        if path not in {one.kernels for one in found}:
            _add(reasons, f"not run on {path}", name)
    return found


def _add(reasons: Reasons, reason: str, name: str) -> None:
    names = reasons.setdefault(reason, [])
    if name not in names:
        names.append(name)
