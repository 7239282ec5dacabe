"""Made-up reports of conversions beside the runs of a made-up sweep."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import report_examples as examples

from qbench.storage.conversions import write

IMAGES = 599  # of the runs' own evaluation
REPRESENTATIVE = "representative"
ERROR = {"error": "no kernel for this"}


def path(accuracy: float, **over: float) -> dict[str, float]:
    """What is measured on a kernel path."""
    return {
        "accuracy": accuracy,
        "recall_at_5": 99.5,
        "agreement": 98.25,
        "largest_difference": 3.0,
        "mean_difference": 0.5,
        **over,
    }


def report(accuracy: float = 97.0, **over: Any) -> dict[str, Any]:
    """As `qbench convert` writes it."""
    kernels = {"xnnpack": accuracy, "builtin": accuracy - 1, "reference": accuracy - 2}
    return {
        "export": "approximate",
        "export_note": "float in the simulation: image",
        "file": "model_int8.tflite",
        "bytes": 105_000,
        "packed_bytes": 80_000,
        "sha256": "aa",
        "images": IMAGES,
        "kernels": {name: path(value) for name, value in kernels.items()},
        **over,
    }


def none(note: str = "stem: a Conv2D cannot be converted yet.") -> dict[str, Any]:
    """Of a run that could not be converted."""
    return {"export": "none", "export_note": note, "weights_sha256": "bb"}


def put(
    folder: Path, number: int, seed: int, content: dict[str, Any], calibration: str | None = None
) -> Path:
    """Write a report to the run of a row and seed; returns the run's folder."""
    run = folder.parent / "runs" / examples.run_id(number, seed)
    write(run, content, calibration=calibration)
    return run


def add(folder: Path, number: int, seed: int = 0, accuracy: float = 97.0, **over: Any) -> Path:
    """Give the run of a row and seed a converted file."""
    return put(folder, number, seed, report(accuracy, **over))


def add_reference(
    folder: Path, number: int, seed: int = 0, accuracy: float = 96.0, **over: Any
) -> Path:
    """Give the run of a float row and seed a file that was quantized after training."""
    content = report(accuracy, export="post-training", **over)
    return put(folder, number, seed, content, REPRESENTATIVE)
