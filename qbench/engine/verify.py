"""Trains runs with and without sharing and compares what they end with."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from qbench.base import device
from qbench.base.errors import Diverged, QbenchError
from qbench.config.experiment import Experiment
from qbench.data import load_chosen, split
from qbench.engine.execute import execute
from qbench.engine.model_check import check_models
from qbench.engine.networks import network_for
from qbench.engine.progress import run_bar, say
from qbench.engine.resolve import by_data, jobs_to_do, resolve
from qbench.planning.plan import Plan
from qbench.storage import layout, records
from qbench.storage.store import Store


class SharingDiffers(QbenchError):
    """The weights, ranges or scheme variables of a run differ with and without sharing."""


def verify(plan: Plan) -> None:
    """Train every run of a plan with and without sharing; print whether all values are equal.

    Raises:
        QbenchError: a network or the data cannot be used, or a number of steps is not decided;
            nothing was trained.
        SharingDiffers: values of at least one run differ.
    """
    for run in plan.runs:
        run.experiment.train.check_decided()
    base = plan.settings.base
    device.start(base.threads, base.deterministic)
    resolved = resolve(plan, device.kind())
    check_models(plan.networks, say)
    wrong = 0
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for batch in jobs_to_do(resolved, root, Store(root, say)):
            for job in batch:
                with run_bar(job.segments[-1].end, job.label[:30]) as report:
                    execute(job, report, say)
        named = zip(plan.runs, resolved.ids, strict=True)
        for run, name in by_data(named, lambda one: one[0].experiment):
            shared = records.read_record(layout.run_folder(root, name))
            equal = is_as_alone(layout.run_folder(root, name), run.experiment)
            taken = shared["steps"]["taken_over"]
            verdict = "equal" if equal else "DIFFERENT"
            print(f"{verdict:<9} {run.label:<44} {taken:>9,} steps taken over", flush=True)
            wrong += not equal
    if wrong:
        raise SharingDiffers(
            f"{wrong} of {len(plan.runs)} runs end with other values with sharing."
        )


def is_as_alone(folder: Path, experiment: Experiment) -> bool:
    """Whether a run has the weights, range averages and scheme variables of training alone.

    Args:
        folder: the folder of the run.
        experiment: its experiment, which is trained without interruption.
    """
    shared, network = records.read_record(folder), _trained_alone(experiment)
    if network is None or shared.get("weights_sha256") != network.weights_hash():
        return network is None and "weights_sha256" not in shared
    ranges = records.read_json(folder / layout.RANGES, "range averages")
    found, expected = records.read_scheme(folder), network.applied(experiment.scheme).saved()
    return (
        ranges == network.ranges()
        and found.keys() == expected.keys()
        and all(np.array_equal(found[name], expected[name]) for name in found)
    )


def train_alone(experiment: Experiment) -> str | None:
    """SHA-256 of the weights after training without interruption; None if it diverged."""
    network = _trained_alone(experiment)
    return None if network is None else str(network.weights_hash())


def _trained_alone(experiment: Experiment) -> Any:
    """The network after training without interruption; None if it diverged."""
    from qbench.training.loop import train

    data = split(load_chosen(experiment.data), experiment.data)
    network = network_for(experiment, data)
    network.initialise(experiment.seed)
    try:
        with run_bar(experiment.train.number_of_steps, "alone") as report:
            train(network, experiment, data, report)
    except Diverged:
        return None
    return network
