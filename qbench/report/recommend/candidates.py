"""The rows that a recommendation chooses among: size, latency, and one metric by seed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from qbench.base.errors import QbenchError
from qbench.planning.alike import ALIKE
from qbench.report.balance import raised
from qbench.report.collect import Sweep
from qbench.report.notes import reads_validation
from qbench.report.texts import counted
from qbench.report.timings import Point, points
from qbench.storage.conversions import WITHOUT_FILE

Part = Literal["validation", "test"]
VALIDATION: Part = "validation"
TEST: Part = "test"
PARTS = (VALIDATION, TEST)

Reasons = dict[str, list[str]]
"""The labels of rows that are left out, by the reason."""


@dataclass(frozen=True)
class Candidate:
    """A row.

    Attributes:
        label: its label.
        run: the id of its first run with a value.
        values: the first metric in simulation on the images of the choice, by seed.
        bytes: the size of its file, the largest of its seeds; without any files in the sweep the
            theoretical size of the weights.
        milliseconds: the median of an invocation, the mean over its seeds; None if unknown.
        alike: rows with the same value compute the same; None if no other row does.
    """

    label: str
    run: str
    values: Mapping[int, float]
    bytes: float
    milliseconds: float | None
    alike: str | None


@dataclass(frozen=True)
class Candidates:
    """All of them.

    Attributes:
        rows: in the order of the table.
        left_out: the other rows by the reason.
        has_files: whether sizes are those of files.
        timed: how latencies were measured; empty if there are none.
        images: number of images that a value was measured on, the smallest of all rows.
        notes: sentences about rows that lack something.
    """

    rows: tuple[Candidate, ...]
    left_out: Reasons
    has_files: bool
    timed: str
    images: int
    notes: tuple[str, ...]


def candidates(sweep: Sweep, part: Part, kernels: str) -> Candidates:
    """The rows of a sweep.

    Args:
        sweep: the sweep.
        part: the images whose values count.
        kernels: the kernel path of latencies, on which the files must run.

    Raises:
        QbenchError: no row has values on these images, or rows have different images.
    """
    has_files = any(report["export"] not in WITHOUT_FILE for report in sweep.exports.values())
    timings, notes = points(sweep)
    timed = {one.label: one for one in timings if one.kernels == kernels}
    rows: list[Candidate] = []
    left_out: Reasons = {}
    fewer = []
    for row in sweep.trained:
        values = _values(sweep, row, part)
        reason = _unfit(sweep, row, kernels, has_files) or ("" if values else _no_values(part))
        if part == VALIDATION and reads_validation(sweep, row):
            reason = reason or "its scheme chose by validation images, so it looks too good on them"
        if reason:
            left_out.setdefault(reason, []).append(row["label"])
            continue
        rows.append(_candidate(sweep, row, values, has_files, timed.get(row["label"])))
        if len(values) < len(row["runs"]):
            fewer.append(f"{row['label']} ({len(values)} of {len(row['runs'])})")
    said = [f"Fewer seeds have values: {', '.join(fewer)}."] if fewer else []
    if part == VALIDATION and not rows and _no_values(part) in left_out:
        raise QbenchError(_NO_VALIDATION.format(sweep.folder))
    images = _images(sweep, [row.run for row in rows], part)
    said += [*notes, *raised(sweep.manifest)]
    return Candidates(tuple(rows), left_out, has_files, _how(timed), images, tuple(said))


_NO_VALIDATION = (
    "{}: its runs have no validation images, and a choice by the test images makes their figures"
    " too good: sweep with data.validation=0.1, or choose by them all the same with --choose-by"
    " test."
)


def _no_values(part: Part) -> str:
    return f"no value on {part} images"


def _values(sweep: Sweep, row: Mapping[str, Any], part: Part) -> dict[int, float]:
    """The first metric by seed."""
    found = {}
    for run in row["runs"]:
        record = sweep.records.get(run["id"], {})
        own = record if part == TEST else record.get("validation", {})
        value = (own.get("metrics") or {}).get(sweep.metric.name)
        if value is not None:
            found[run["seed"]] = float(value)
    return found


def _unfit(sweep: Sweep, row: Mapping[str, Any], kernels: str, has_files: bool) -> str:
    """Why a row cannot be recommended; empty if it can. No measured value counts here."""
    if row["reason"] is not None:
        return f"not applicable: {row['reason'].removesuffix('.')}"
    records = [found for run in row["runs"] if (found := sweep.records.get(run["id"]))]
    if any(record["status"] == "diverged" for record in records):
        return "a run diverged"
    if not any(record["metrics"] for record in records):
        return "no finished run"
    return _without_file(sweep, row, kernels) if has_files else ""


def _without_file(sweep: Sweep, row: Mapping[str, Any], kernels: str) -> str:
    """Why a row has no file that runs; a single seed without a right file is a reason too."""
    reports = [found for run in row["runs"] if (found := sweep.exports.get(run["id"]))]
    if not reports:
        return "no converted file"
    for report in reports:
        if report["export"] in WITHOUT_FILE:
            return f"not converted: {report['export_note'].removesuffix('.')}"
        error = report["kernels"].get(kernels, {}).get("error")
        if error:
            return f"{kernels} cannot run the file: {error.removesuffix('.')}"
    return ""


def _candidate(
    sweep: Sweep,
    row: Mapping[str, Any],
    values: Mapping[int, float],
    has_files: bool,
    timed: Point | None,
) -> Candidate:
    runs = [run["id"] for run in row["runs"]]
    if has_files:
        size = max(float(sweep.exports[run]["bytes"]) for run in runs if run in sweep.exports)
    else:
        sizes = [(sweep.records.get(run) or {}).get("size") for run in runs]
        size = next(1e6 * float(one["megabytes"]) for one in sizes if one)
    first = next(run["id"] for run in row["runs"] if run["seed"] in values)
    milliseconds = timed.milliseconds if timed else None
    return Candidate(row["label"], first, values, size, milliseconds, row.get(ALIKE))


def _how(timed: Mapping[str, Point]) -> str:
    """How the latencies were measured; `points` has one number of threads for each path."""
    for one in timed.values():
        batch = f", {one.batch} images at once" if one.batch > 1 else ""
        return f"{one.kernels}, {counted(one.threads, 'thread')}{batch}"
    return ""


def _images(sweep: Sweep, runs: list[str], part: Part) -> int:
    """The number of images; rows with other images cannot be compared."""
    found = {}
    for record in (sweep.records[run] for run in runs):
        data = record["data"]
        own = {"images": data["test_images"]} if part == TEST else record["validation"]
        found[data["name"], own["images"], own.get("seed")] = own["images"]
    if len(found) > 1:
        raise QbenchError(
            f"{sweep.folder}: its rows have different {part} images; expected one data set for all"
            " rows, since a recommendation compares them on the same images."
        )
    return min(found.values(), default=0)
