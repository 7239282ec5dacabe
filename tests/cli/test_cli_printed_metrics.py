"""What `qbench convert` prints of a file, from reports of two tasks."""

from __future__ import annotations

from typing import Any

from qbench.cli.commands.convert import describe
from qbench.tasks.metric import Metric

DATA = {"name": "digits", "note": ""}
DIFFERENCES = {"agreement": 98.25, "largest_difference": 3.0, "mean_difference": 0.5}


def _printed(kind: str, data: dict[str, Any], figures: dict[str, float]) -> list[str]:
    """The lines below the sizes."""
    report = {
        "export": kind,
        "export_note": "",
        "file": f"model_{kind}.tflite",
        "bytes": 105_000,
        "packed_bytes": 80_000,
        "images": 599,
        "simulation": figures,
        "kernels": {"xnnpack": {**figures, **DIFFERENCES}, "builtin": {"error": "no\nkernel"}},
    }
    lines = describe(report, {"size": None, "data": data}).splitlines()
    return lines[2:]


def test_classification() -> None:
    found = _printed("float", DATA, {"accuracy": 98.5, "recall_at_5": 100.0})
    assert found == [
        "kernels           accuracy %      recall@5 %     agreement %         largest"
        " mean difference",
        "simulation             98.50          100.00",
        "xnnpack                98.50          100.00           98.25            3.00"
        "            0.50",
        "builtin       no kernel",
        "599 test images; differences in logits, from the simulation with the file's fixed ranges",
    ]


def test_another_task() -> None:
    miss = Metric("miss", "mean absolute error", "px", 3, False, "first")
    task = {
        "name": "heights",
        "output_name": "outputs",
        "prediction_name": "prediction",
        "loss_name": "loss",
        "metrics": [miss.as_config(), Metric("loss", "loss", "", 4, False).as_config()],
    }
    found = _printed("float", {**DATA, "task": task}, {"miss": 1.25})
    assert found == [
        "kernels      mean absolute error px     agreement %         largest mean difference",
        "simulation                    1.250",
        "xnnpack                       1.250           98.25            3.00            0.50",
        "builtin       no kernel",
        "599 test images; differences in outputs, from the simulation with the file's fixed ranges",
    ]
