"""The conversion status of a run's folder; imports no TensorFlow."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from enum import Enum
from pathlib import Path
from typing import Any

from qbench.storage import conversions, layout, records

Report = Mapping[str, Any]


class FileState(Enum):
    """What is left to do for a file of a run.

    Attributes:
        UNTRAINED: the run is to be trained first.
        WAITING: the file is to be made.
        WITHOUT_WEIGHTS: it cannot be made, because the run's weights are missing.
        SETTLED: it is made and unchanged, or the run can have none; or the run diverged.
    """

    UNTRAINED = "untrained"
    WAITING = "waiting"
    WITHOUT_WEIGHTS = "without weights"
    SETTLED = "settled"


def state_of(root: Path, run: str, calibration: str | None) -> FileState:
    """What is left to do for a file.

    A complete report without weights is settled, as in committed records.

    Args:
        root: holds `runs/`.
        run: the id of the run.
        calibration: see `qbench.storage.layout.conversion_report`.
    """
    record = records.finished(root, run)
    if record is None:
        return FileState.UNTRAINED
    if record["status"] != "ok":
        return FileState.SETTLED
    folder = layout.run_folder(root, run)
    report = report_of(folder, record, calibration)
    complete = report is not None and is_complete(report, record)
    if not has_weights(folder):
        return FileState.SETTLED if complete else FileState.WITHOUT_WEIGHTS
    if complete and report is not None and has_file(folder, report):
        return FileState.SETTLED
    return FileState.WAITING


def report_of(folder: Path, record: Report, calibration: str | None) -> dict[str, Any] | None:
    """The report of the run's file, if it is complete and belongs to the run's own weights.

    Args:
        folder: the folder of the run.
        record: the run record.
        calibration: see `qbench.storage.layout.conversion_report`.
    """
    report = conversions.read(folder, calibration)
    if report is None or report.get("weights_sha256") != record["weights_sha256"]:
        return None
    return report


def is_complete(report: Report | None, record: Report) -> bool:
    """Whether a report has values for all images of the run's own evaluation, or needs none."""
    if report is None:
        return False
    return bool(
        report["export"] in conversions.WITHOUT_FILE or report["images"] == own_images(record)
    )


def own_images(record: Report) -> int:
    """The number of test images in a run's own evaluation."""
    return int(record["data"]["test_images"])


def has_file(folder: Path, report: Report) -> bool:
    """Whether the folder holds the unchanged file of a report; true if the report has no file."""
    if report["export"] in conversions.WITHOUT_FILE:
        return True
    try:
        content = (folder / report["file"]).read_bytes()
    except OSError:
        return False
    return bool(hashlib.sha256(content).hexdigest() == report["sha256"])


def has_weights(folder: Path) -> bool:
    """Whether a run can be converted; committed records have no weights."""
    return (folder / layout.WEIGHTS).is_file()


def outranks(known: Report | None, report: Report, record: Report) -> bool:
    """Whether the values of a known report take precedence over those of a new report.

    Values for the run's own test images come first. After them, values for more images come before
    values for fewer.
    """
    if known is None or known["export"] in conversions.WITHOUT_FILE or is_complete(report, record):
        return False
    return is_complete(known, record) or known["images"] > report["images"]
