"""A tiny design on the digits, planned without Hydra, and its jobs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from qbench.base import device
from qbench.config.experiment import Experiment
from qbench.data import load
from qbench.data.dataset import Dataset
from qbench.engine.execute import execute
from qbench.engine.resolve import ResolvedPlan, jobs_to_do, resolve
from qbench.engine.spec import JobSpec, Policy
from qbench.planning.designs import Row
from qbench.planning.execution import Engine
from qbench.planning.plan import Plan
from qbench.planning.settings import Design, Settings
from qbench.storage import layout, records
from qbench.storage.store import Store

CONFIG: dict[str, Any] = {
    "data": {"name": "digits", "augment": False},
    "model": {"name": "resnet_v1", "blocks": 1, "width": 4, "batch_norm_momentum": 0.9},
    "quant": {"delay": 0.5, "placement": ["conv", "activation"]},
    "train": {
        "steps": 10,
        "batch_size": 16,
        "learning_rate": 0.05,
        "optimizer": {"name": "sgd", "momentum": 0.9},
        "schedule": {"name": "cosine"},
        "weight_decay": 0.0005,
        "log_every": 1,
    },
    "eval": {"batch_size": 100, "limit": 100},
    "threads": 2,
    "seed": 0,
}


def experiment(values: Mapping[str, Any] | None = None) -> Experiment:
    """The tiny experiment with some values changed; `quant.scheme` takes a name with arguments."""
    changes = dict(values or {})
    scheme = changes.pop("quant.scheme", {"name": "uniform"})
    config = {**CONFIG, "quant": {**CONFIG["quant"], "scheme": scheme}}
    return Experiment.from_config(config).with_values(changes)


def digits() -> Dataset:
    device.start(2)
    return load("digits", None)


def resolved(*rows: Mapping[str, Any], share: bool = True) -> ResolvedPlan:
    """The tiny experiment as a plan, with a row for each of the changes."""
    device.start(2)
    settings = Settings(
        study="tiny",
        base=experiment(),
        seeds=(0,),
        design=Design(name="ofat", baseline=False, factors=None),
        out=None,
        engine=Engine(share=share),
    )
    table = tuple(_row(changes) for changes in rows)
    return resolve(Plan(settings, {}, table), device.kind())


def _row(changes: Mapping[str, Any]) -> Row:
    label = ",".join(f"{key}={value}" for key, value in changes.items()) or "default"
    return Row(label, changes, experiment(changes), None)


def jobs(work: ResolvedPlan, root: Path) -> list[JobSpec]:
    """What is to be done, in an order that works."""
    return [job for batch in jobs_to_do(work, root, Store(root, silent)) for job in batch]


def silent(text: str) -> None:
    """Told, and says nothing."""


def nothing(new: int, loss: float) -> None:
    """Reported to, and does nothing."""


def do(spec: JobSpec, say: Callable[[str], None] = silent) -> int:
    """Do a job in this process; returns how many steps were trained."""
    steps: list[int] = []
    execute(spec, lambda new, loss: steps.append(new), say)
    return sum(steps)


def weights(root: Path, run: str) -> str:
    """The hash of the weights that a run ended with."""
    record = records.read_record(layout.run_folder(root, run))
    assert record["status"] == "ok", record["error"]
    return str(record["weights_sha256"])


def write_job(spec: JobSpec, retries: int = 0, isolate: bool = True) -> Path:
    """The job as a file, to be done by a worker process or in place."""
    spec = replace(spec, policy=Policy(retries, isolate))
    spec.file.parent.mkdir(parents=True, exist_ok=True)
    records.write_atomically(spec.file, records.as_json(spec.as_config()))
    return spec.file
