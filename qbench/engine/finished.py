"""Loads a finished run from its folder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from qbench.base import device
from qbench.base.errors import QbenchError
from qbench.config.experiment import Experiment
from qbench.data import Dataset
from qbench.storage import layout, records


@dataclass(frozen=True)
class FinishedRun:
    """A run with its trained network.

    Attributes:
        folder: its folder.
        experiment: its configuration, with the requested changes.
        record: its run record.
        data: its data.
        network: a network with the run's weights, range averages and variables of the scheme.
    """

    folder: Path
    experiment: Experiment
    record: dict[str, Any]
    data: Dataset
    network: Any


def bring_back(folder: Path, changes: Mapping[str, Any]) -> FinishedRun:
    """Load a run's configuration, data and weights, and compare them with the record.

    Args:
        folder: the folder of the run.
        changes: new values for the configuration, by dotted key.

    Raises:
        QbenchError: the weights are missing or damaged, or the data differ from the run's data.
    """
    record = records.read_record(folder)
    config = records.read_json(folder / layout.CONFIG, "the configuration of a run")
    experiment = Experiment.from_config(config).with_values(changes)
    if record["status"] == "failed":
        raise QbenchError(f"{folder}: this run failed; it has no trained network.")
    if not (folder / layout.WEIGHTS).is_file():
        raise QbenchError(
            f"{folder / layout.WEIGHTS}: no such file; weights are not kept with committed"
            " records: train the run again."
        )
    device.start(experiment.threads, experiment.deterministic)
    from qbench.data import load
    from qbench.engine.networks import network_for

    data = load(experiment.data.name, experiment.data.dir)
    if data.hash != record["data"]["hash"]:
        raise QbenchError(
            f"data.dir={experiment.data.dir}: not the data of this run (SHA-256 {data.hash[:12]},"
            f" recorded {record['data']['hash'][:12]})."
        )
    network = network_for(experiment, data)
    ranges = records.read_json(folder / layout.RANGES, "range averages")
    scheme, values = experiment.scheme, records.read_scheme(folder)
    network.restore(folder / layout.WEIGHTS, ranges, scheme, values)
    if network.weights_hash() != record["weights_sha256"]:
        raise QbenchError(f"{folder / layout.WEIGHTS}: not the weights that were recorded.")
    return FinishedRun(folder, experiment, record, data, network)
