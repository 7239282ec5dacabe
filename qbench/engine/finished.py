"""Loads a finished run from its folder."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from qbench.base import device
from qbench.base.errors import QbenchError
from qbench.base.model_names import IMAGENET, NO_WEIGHTS, WEIGHTS_KEY
from qbench.config.experiment import Experiment
from qbench.data import Dataset
from qbench.engine import run_record
from qbench.engine.spec import kind_of
from qbench.planning.code import hashes_of
from qbench.storage import layout, records


@dataclass(frozen=True)
class FinishedRun:
    """A run with its trained network.

    Attributes:
        folder: its folder.
        experiment: its configuration, with the requested changes.
        record: its run record.
        data: its data; validation images are apart from the training images, as in training.
        network: a network with the run's weights, range averages and variables of the scheme.
    """

    folder: Path
    experiment: Experiment
    record: dict[str, Any]
    data: Dataset
    network: Any


def trained_record(folder: Path) -> dict[str, Any]:
    """The record of a run with a network of its own.

    Raises:
        QbenchError: there is no record, it is damaged, or the run is computed from other runs.
    """
    record = records.read_record(folder)
    if "derived" in record:
        kind, members = record["derived"]["kind"], record["derived"]["members"]
        raise QbenchError(
            f"{folder}: this run is derived ({kind}) from the runs {', '.join(members)} and has no"
            " network of its own; give the folder of one of these runs."
        )
    return record


def bring_back(folder: Path, changes: Mapping[str, Any]) -> FinishedRun:
    """Load a run's configuration, data and weights, and compare them with the record.

    Args:
        folder: the folder of the run.
        changes: new values for the configuration, by dotted key.

    Raises:
        QbenchError: the weights are missing or damaged, the data or the code from outside differ
            from the run's, or the run is derived from others.
    """
    record = trained_record(folder)
    config = records.read_json(folder / layout.CONFIG, "the configuration of a run")
    experiment = Experiment.from_config(config).with_values(changes)
    if record["status"] == "failed":
        raise QbenchError(f"{folder}: this run failed; it has no trained network.")
    if not (folder / layout.WEIGHTS).is_file():
        raise QbenchError(
            f"{folder / layout.WEIGHTS}: no such file; weights are not kept with committed"
            " records: train the run again."
        )
    trained = _without_file(experiment)
    _check_code(folder, trained, record.get("code", {}))
    device.start(experiment.threads, experiment.deterministic)
    from qbench.data import load_chosen, split
    from qbench.engine.networks import network_for

    data = load_chosen(experiment.data)
    if data.hash != record["data"]["hash"]:
        raise QbenchError(
            f"data.dir={experiment.data.dir}: not the data of this run (SHA-256 {data.hash[:12]},"
            f" recorded {record['data']['hash'][:12]})."
        )
    run_record.check_part(experiment, data, record["data"])
    data = split(data, experiment.data)
    network = network_for(trained, data)
    ranges = records.read_json(folder / layout.RANGES, "range averages")
    scheme, values = experiment.scheme, records.read_scheme(folder)
    held = network.weights_hash() == record["weights_sha256"] and _is_recorded(folder, record)
    network.restore(folder / layout.WEIGHTS, ranges, scheme, values, held)
    if not held and network.weights_hash() != record["weights_sha256"]:
        raise QbenchError(f"{folder / layout.WEIGHTS}: not the weights that were recorded.")
    return FinishedRun(folder, experiment, record, data, network)


def _is_recorded(folder: Path, record: Mapping[str, Any]) -> bool:
    """Whether the file of the weights is the recorded one, byte by byte."""
    content = (folder / layout.WEIGHTS).read_bytes()
    recorded = record.get("files", {}).get(layout.WEIGHTS)
    return bool(hashlib.sha256(content).hexdigest() == recorded)


def _without_file(experiment: Experiment) -> Experiment:
    """The experiment without the file that its training began with, which is not needed again."""
    begun = experiment.model.file
    if experiment.model.weights != IMAGENET and (begun is None or begun[0] != WEIGHTS_KEY):
        return experiment
    return experiment.with_values({WEIGHTS_KEY: NO_WEIGHTS})


def _check_code(folder: Path, experiment: Experiment, recorded: Mapping[str, str]) -> None:
    """Check that code from outside has the content that the run was trained with."""
    here = hashes_of(experiment)
    for key in (*recorded, *here):
        if key.startswith(f"{WEIGHTS_KEY}="):  # the run has weights of its own now
            continue
        then, now = recorded.get(key), here.get(key)
        if then != now:
            raise QbenchError(
                f"{folder}: {key} is not the {kind_of(key)} of this run (SHA-256"
                f" {now[:12] if now else 'none'}, recorded {then[:12] if then else 'none'})."
            )
