"""Reports of conversions in the folders of runs; see `qbench.deploy.convert.export`."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from qbench.base.errors import NotConvertible, WrongFile
from qbench.storage import layout, records

WITHOUT_FILE = tuple(kind.export for kind in (NotConvertible, WrongFile))
"""Values of `export` for a run that could not be converted, or whose file gave wrong answers."""

_DIFFERENCES = ("largest_difference", "mean_difference")


def write(
    folder: Path,
    report: Mapping[str, Any],
    content: bytes | None = None,
    calibration: str | None = None,
    predictions: bytes | None = None,
) -> None:
    """Write a converted file, if there is one, its predictions and its report into a run's folder.

    Args:
        folder: the folder of the run.
        report: the report as plain data. If there is a file, its `file` is the name of the file.
        content: the content of the file, or None.
        calibration: see `qbench.storage.layout.conversion_report`.
        predictions: the content of the file's predictions, see `qbench.storage.file_predictions`;
            None keeps those that are there.
    """
    name = layout.conversion_report(calibration)
    if predictions is not None:
        report = {**report, "predictions_sha256": hashlib.sha256(predictions).hexdigest()}
        records.write_atomically(folder / layout.conversion_predictions(name), predictions)
    measured = records.as_json(report)
    if content is not None:
        records.write_atomically(folder / report["file"], content)
    records.write_atomically(folder / name, measured)


def read(folder: Path, calibration: str | None = None) -> dict[str, Any] | None:
    """The report of a run's converted file; None if there is none, or if it is damaged."""
    return read_file(folder / layout.conversion_report(calibration))


def read_file(path: Path) -> dict[str, Any] | None:
    """The report in a file; None if there is none, or if it is damaged."""
    try:
        report = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    return report if is_conversion(report) else None


def is_conversion(report: Any) -> bool:
    """Whether plain data are a complete report of a converted file, or of a failed conversion.

    Args:
        report: the data as read from JSON.
    """
    if not isinstance(report, dict) or not _texts(report, "export", "export_note"):
        return False
    if report["export"] in WITHOUT_FILE:
        return True
    kernels = report.get("kernels")
    return (
        _texts(report, "file", "sha256")
        and all(_whole(report.get(key)) for key in ("bytes", "images"))
        and (report.get("packed_bytes") is None or _whole(report["packed_bytes"]))
        and isinstance(kernels, dict)
        and all(_is_measured(row) for row in kernels.values())
    )


def _is_measured(row: Any) -> bool:
    """Whether `row` is the measurement on one kernel path, or the reason why there is none."""
    if not isinstance(row, dict):
        return False
    if "error" in row:
        return isinstance(row["error"], str)
    measured = [row[key] for key in row if key not in _DIFFERENCES]
    return (
        _number(row.get("agreement"))
        and all(map(_number, measured))
        and all(row.get(key) is None or _number(row[key]) for key in _DIFFERENCES)
    )


def _texts(report: dict[str, Any], *keys: str) -> bool:
    return all(isinstance(report.get(key), str) for key in keys)


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
