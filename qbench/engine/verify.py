"""Trains runs with and without sharing and compares their weights."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

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
    """The weights of a run differ with and without sharing."""


def verify(plan: Plan) -> None:
    """Train every run of a plan with and without sharing; print whether the weights are equal.

    Raises:
        QbenchError: a network or the data cannot be used; nothing was trained.
        SharingDiffers: the weights of at least one run differ.
    """
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
            alone = train_alone(run.experiment)
            equal = shared.get("weights_sha256") == alone
            taken = shared["steps"]["taken_over"]
            verdict = "equal" if equal else "DIFFERENT"
            print(f"{verdict:<9} {run.label:<44} {taken:>9,} steps taken over", flush=True)
            wrong += not equal
    if wrong:
        raise SharingDiffers(f"{wrong} of {len(plan.runs)} runs have other weights with sharing.")


def train_alone(experiment: Experiment) -> str | None:
    """SHA-256 of the weights after training without interruption; None if it diverged."""
    from qbench.training.loop import train

    data = split(load_chosen(experiment.data), experiment.data)
    network: Any = network_for(experiment, data)
    network.initialise(experiment.seed)
    try:
        with run_bar(experiment.train.steps, "alone") as report:
            train(network, experiment, data, report)
    except Diverged:
        return None
    return str(network.weights_hash())
