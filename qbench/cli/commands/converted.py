"""Reads the file of a run that `qbench convert` has converted."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from qbench.base.errors import QbenchError
from qbench.engine.finished import trained_record
from qbench.storage import conversions


def converted_file(folder: Path) -> tuple[dict[str, Any], bytes]:
    """Read the report and the file of a converted run, and check that the file has not changed.

    Returns:
        The report, and the content of the file.

    Raises:
        QbenchError: the run was not converted, could not be converted, or its file has changed.
    """
    trained_record(folder)
    report = conversions.read(folder)
    if report is None:
        raise QbenchError(f"{folder}: not converted yet; `qbench convert {folder}` comes first.")
    if "file" not in report:
        raise QbenchError(f"{folder}: it has no converted file. {report['export_note']}")
    path = folder / report["file"]
    try:
        content = path.read_bytes()
    except OSError as error:
        raise QbenchError(
            f"{path}: {error.strerror}; `qbench convert {folder}` writes it again."
        ) from error
    if hashlib.sha256(content).hexdigest() != report.get("sha256"):
        raise QbenchError(
            f"{path}: not what was converted; `qbench convert {folder}` writes it again."
        )
    return report, content
