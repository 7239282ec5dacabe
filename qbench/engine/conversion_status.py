"""What a run's folder holds of its conversion, and what is left to do; imports nothing heavy."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from qbench.storage import conversions, layout

Report = Mapping[str, Any]


def report_of(folder: Path, record: Report, calibration: str | None) -> dict[str, Any] | None:
    """What is known of the run's file, where that is all there and of the run's own weights.

    Args:
        folder: of the run.
        record: of the run.
        calibration: see `qbench.storage.layout.conversion_report`.
    """
    report = conversions.read(folder, calibration)
    if report is None or report.get("weights_sha256") != record["weights_sha256"]:
        return None
    return report


def is_complete(report: Report | None, record: Report) -> bool:
    """Whether a report has figures of all the images of the run's own evaluation, or needs none."""
    if report is None:
        return False
    return bool(
        report["export"] in conversions.WITHOUT_FILE or report["images"] == own_images(record)
    )


def own_images(record: Report) -> int:
    """The number of test images that a run was evaluated on."""
    return int(record["data"]["test_images"])


def has_file(folder: Path, report: Report) -> bool:
    """Whether the file that a report speaks of, if any, lies in the folder as it was written."""
    if report["export"] in conversions.WITHOUT_FILE:
        return True
    try:
        content = (folder / report["file"]).read_bytes()
    except OSError:
        return False
    return bool(hashlib.sha256(content).hexdigest() == report["sha256"])


def has_weights(folder: Path) -> bool:
    """Whether a run can be converted; weights are not kept with committed records."""
    return (folder / layout.WEIGHTS).is_file()


def outranks(known: Report | None, report: Report, record: Report) -> bool:
    """Whether a known report's figures are of more worth than those of a new one.

    Figures of the run's own test images are worth most, others the more the more images there are.
    """
    if known is None or known["export"] in conversions.WITHOUT_FILE or is_complete(report, record):
        return False
    return is_complete(known, record) or known["images"] > report["images"]
