"""The predictions that `qbench compare` compares: of a run, or of a run's converted file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qbench.base.errors import QbenchError
from qbench.deploy.lite import KERNELS
from qbench.storage import conversions, file_predictions, layout, records
from qbench.tasks.metric import Metric
from qbench.tasks.recorded import recorded
from qbench.tasks.task import Task

PATHS = (*KERNELS, file_predictions.SIMULATION)
"""What can be compared of a file: its answers on a kernel path, or its simulation."""


@dataclass(frozen=True)
class Predicted:
    """A finished run, or its file, and what it says about each test image.

    Attributes:
        folder: the folder of the run.
        record: its run record.
        config: its configuration.
        metric: the metric of the values.
        values: (N,) bool, whether each image is right, or (N,) float.
        file: the file and its path for a reader; "" for the run itself.
    """

    folder: Path
    record: Mapping[str, Any]
    config: Mapping[str, Any]
    metric: Metric
    values: NDArray[Any]
    file: str = ""

    @property
    def name(self) -> str:
        """The run for a reader: its id and its seed; and its file."""
        seed = self.record.get("seed")
        run = f"{self.record['run']}" + ("" if seed is None else f" (seed {seed})")
        return f"{run}, {self.file}" if self.file else run


def predicted(place: Path, path: str) -> Predicted:
    """Read a finished run, or the measurements of its file.

    Args:
        place: the folder of a run; or in it, a converted file or its report, which may be all that
            is left of the file.
        path: which predictions of a file to read, one of PATHS.

    Raises:
        QbenchError: there is no finished run or no such file, its predictions were not kept, or
            its task has no value for single images.
    """
    is_file = layout.is_conversion(place)
    folder = place.parent if is_file else place
    if (folder / layout.MANIFEST).is_file() and not (folder / layout.RECORD).is_file():
        raise QbenchError(
            f"{folder}: this is a sweep; its {layout.RUNS_TABLE} says which run belongs to which"
            " row, and compare takes two of them."
        )
    record = records.read_record(folder)
    if not (folder / layout.PREDICTIONS).is_file():
        raise QbenchError(
            f"{folder}: this run has no predictions, because it ended as {record['status']};"
            " compare takes finished runs."
        )
    config = records.read_json(folder / layout.CONFIG, "the configuration of a run")
    if is_file:
        file, arrays = _of_file(place, record, path)
    else:
        file, arrays = "", _of_run(folder)
    found = _task(folder, record, config).per_image(arrays)
    if found is None:
        raise QbenchError(
            f"{folder}: its task {recorded(record['data']).name} has no value for single images"
            " (Task.per_image), so runs cannot be compared image by image."
        )
    return Predicted(folder, record, config, *found, file)


def _of_run(folder: Path) -> dict[str, NDArray[Any]]:
    with np.load(folder / layout.PREDICTIONS, allow_pickle=False) as stored:
        return {name: stored[name] for name in stored.files}


def _of_file(
    place: Path, record: Mapping[str, Any], path: str
) -> tuple[str, dict[str, NDArray[Any]]]:
    """The file for a reader, and its predictions on a path."""
    folder = place.parent
    for found in layout.conversion_reports(folder):
        report = conversions.read_file(found)
        if report is None or place.name not in (found.name, report.get("file")):
            continue
        if report["export"] in conversions.WITHOUT_FILE:
            raise QbenchError(f"{place}: the run has no file: {report['export_note']}.")
        if report.get("weights_sha256") != record["weights_sha256"]:
            raise QbenchError(
                f"{place}: not a conversion of this run's weights; qbench convert {folder} makes"
                " it anew."
            )
        if "error" in report["kernels"].get(path, {}):
            raise QbenchError(
                f"{place}: the {path} kernels could not run the file"
                f" ({report['kernels'][path]['error']})."
            )
        on = f"{path} kernels" if path in KERNELS else "simulation with its fixed ranges"
        return f"{report['file']} ({on})", file_predictions.read(found, report, path)
    known = ", ".join(found.name for found in layout.conversion_reports(folder))
    raise QbenchError(
        f"{place}: this run has no such file; it has {known}."
        if known
        else f"{place}: this run has no file yet; qbench convert {folder} makes it."
    )


def _task(folder: Path, record: Mapping[str, Any], config: Mapping[str, Any]) -> Task:
    """The task of a run; a task from outside is imported with its data set."""
    from qbench.tasks.classification import Classification

    if recorded(record["data"]).name == Classification.name:
        return Classification(2)  # what it says of single images does not depend on the classes
    if "derived" in record:
        raise QbenchError(f"{folder}: a derived run of a task from outside cannot be compared.")
    from qbench.config.experiment import Experiment
    from qbench.data.source import source_of

    return source_of(Experiment.from_config(config).data).make_task()


def check_comparable(first: Predicted, second: Predicted) -> None:
    """Check that two runs or files have the same test set.

    Raises:
        QbenchError: they have not, or they are the same.
    """
    one, other = first.record, second.record
    both = f"{first.folder} and {second.folder}"
    if (one["run"], first.file) == (other["run"], second.file):
        raise QbenchError(
            f"{both}: both are the run {first.name if first.file else one['run']}; compare takes"
            " two runs, or a run and its file."
        )
    for key, what in (("hash", "data (their hashes differ)"), ("test_images", "numbers of images")):
        if one["data"][key] != other["data"][key]:
            raise QbenchError(
                f"{both}: the runs have other {what}; only runs of the same test set can be"
                " compared image by image."
            )
    files = bool(first.file or second.file)  # these may be of the first images only
    if first.metric != second.metric or not (files or len(first.values) == len(second.values)):
        raise QbenchError(f"{both}: their predictions are of another form.")
