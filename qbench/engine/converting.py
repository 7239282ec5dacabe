"""Converts a run, or the untrained network of an experiment, in the current process."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from qbench.base.errors import QbenchError, WrongFile
from qbench.config.experiment import Experiment
from qbench.engine import conversion_status
from qbench.storage import conversions, file_predictions, layout


@dataclass(frozen=True)
class Conversion:
    """The result of converting a run.

    Attributes:
        report: the measurements; see `qbench.deploy.convert.Exported`.
        kept: the older report that stays in the run's folder, because it has more images; None if
            the new report was written.
    """

    report: dict[str, Any]
    kept: dict[str, Any] | None


def convert_folder(
    folder: Path, changes: Mapping[str, Any], calibration: str | None = None
) -> Conversion:
    """Convert the run in a folder, and write the file and its report.

    Values for fewer images do not replace values for the run's own test images.

    Args:
        folder: the folder of the run.
        changes: new values for its configuration, by dotted key.
        calibration: None, or `representative` to quantize a float run after training.

    Raises:
        QbenchError: the run did not end well, or its folder is damaged.
        NotConvertible: no file can be made of its network.
        WrongFile: the file gives wrong answers. This is recorded in place of an earlier report.
    """
    from qbench.engine.finished import bring_back, trained_record

    status = trained_record(folder)["status"]
    if status != "ok":
        raise QbenchError(f"{folder}: this run {status}; only one that ended well is converted.")
    run = bring_back(folder, changes)
    from qbench.deploy.convert import export

    try:
        exported = export(run.network, run.experiment, run.data, calibration)
    except WrongFile as error:
        refused(folder, run.record, error.export, str(error), calibration)
        raise
    report = {**exported.report, "weights_sha256": run.record["weights_sha256"]}
    known = conversion_status.report_of(folder, run.record, calibration)
    if known is None or not conversion_status.outranks(known, report, run.record):
        predictions = file_predictions.content_of(exported.predictions)
        conversions.write(folder, report, exported.content, calibration, predictions)
        return Conversion(report, None)
    if conversion_status.has_file(folder, known):
        return Conversion(report, known)
    # The file of the known report is missing: restore this file, or replace the report too.
    if known["sha256"] == report["sha256"]:
        conversions.write(folder, known, exported.content, calibration)
        return Conversion(report, known)
    predictions = file_predictions.content_of(exported.predictions)
    conversions.write(folder, report, exported.content, calibration, predictions)
    return Conversion(report, None)


def refused(
    folder: Path, record: Mapping[str, Any], export: str, reason: str, calibration: str | None
) -> None:
    """Record that a run has no file, and the reason; remove the file of an earlier conversion.

    Args:
        folder: the folder of the run.
        record: the run record.
        export: the text for the column `export`.
        reason: one sentence.
        calibration: see `convert_folder`.
    """
    known = conversions.read(folder, calibration) or {}
    report = {
        "export": export,
        "export_note": reason,
        "weights_sha256": record["weights_sha256"],
    }
    conversions.write(folder, report, calibration=calibration)
    name = layout.conversion_report(calibration)
    (folder / layout.conversion_predictions(name)).unlink(missing_ok=True)
    if "file" in known:
        (folder / known["file"]).unlink(missing_ok=True)


def try_conversion(experiment: Experiment) -> None:
    """Convert the untrained network of an experiment and run the file.

    Raises:
        NotConvertible: no file can be made of the network.
        WrongFile: the file gives wrong answers.
    """
    from qbench.base import device

    device.start(experiment.threads, experiment.deterministic)
    from qbench.data import load_chosen, split
    from qbench.deploy.convert import attempt
    from qbench.engine.networks import network_for

    data = split(load_chosen(experiment.data), experiment.data)
    attempt(network_for(experiment, data), experiment, data)
