"""Tasks as records store them, so that reports do not need their code."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from qbench.tasks.classification import Classification
from qbench.tasks.metric import Metric


@dataclass(frozen=True)
class Recorded:
    """A task as records store it; `qbench.tasks.task.Task` explains the attributes."""

    name: str
    output_name: str
    prediction_name: str
    loss_name: str
    metrics: tuple[Metric, ...]


def recorded(data: Mapping[str, Any] | None) -> Recorded:
    """The task of a run, from the part of its record about the data.

    Records without a task are records of classification with six classes or more.
    """
    said = data["task"] if data and "task" in data else Classification(10).as_record()
    return Recorded(**{**said, "metrics": tuple(map(Metric.from_config, said["metrics"]))})


def metrics_of(data: Mapping[str, Any] | None) -> tuple[Metric, ...]:
    """The metrics of a run, from the part of its record about the data."""
    return recorded(data).metrics
