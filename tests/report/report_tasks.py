"""What records say of other tasks than classification with ten classes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import report_conversions as conversions
import report_examples as examples

from qbench.tasks.classification import Classification
from qbench.tasks.metric import Metric

ERROR = "mean_absolute_error"
HEIGHTS: dict[str, Any] = {
    "name": "heights",
    "output_name": "outputs",
    "prediction_name": "prediction",
    "loss_name": "squared error",
    "metrics": [
        Metric(ERROR, "mean absolute error", "px", 3, False, "first").as_config(),
        Metric("loss", "loss", "", 4, False).as_config(),
    ],
}
FIRST = Metric.from_config(HEIGHTS["metrics"][0])
THREE_CLASSES: dict[str, Any] = Classification(3).as_record()


def rows(task: dict[str, Any], seeds: int = 1) -> list[examples.Row]:
    """The rows of the examples, whose records are of this task."""
    table = examples.rows(seeds)
    for row in table:
        row.task = task
    return table


def value(number: int, seed: int = 0) -> float:
    """The error that the record of a row and seed has."""
    return examples.metrics(number, seed, HEIGHTS)[ERROR]


def path(error: float) -> dict[str, float]:
    """What is measured of heights on a kernel path."""
    differences = {"largest_difference": 3.0, "mean_difference": 0.5}
    return {ERROR: error, "agreement": 98.25, **differences}


def add(folder: Path, number: int, seed: int = 0, error: float = 1.25) -> Path:
    """Give the run of a row and seed a converted file."""
    kernels = {"xnnpack": path(error), "builtin": path(error + 1)}
    return conversions.add(folder, number, seed, kernels=kernels)
