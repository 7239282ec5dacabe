"""A file run on every kernel path of the runtime, over test images."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qbench.deploy.lite import KERNELS, LiteFile
from qbench.errors import QbenchError
from qbench.evaluation import label_ranks, metrics

Values = NDArray[np.float32]


def measure(
    content: bytes,
    expected: Values,
    inputs: Callable[[], Iterable[Values]],
    labels: NDArray[np.int64],
    classes: int,
) -> dict[str, Any]:
    """What a file does on each kernel path that can run it.

    Args:
        content: the file.
        expected: logits (N, classes) of the simulation with the same fixed ranges.
        inputs: gives the network inputs from the first on, in batches (B, H, W, C); called for each
            kernel path, so that they need not be in memory all at once.
        labels: (N,).
        classes: number of classes.

    Returns:
        By kernel path: `accuracy` and `recall_at_5` in percent; `agreement`, the percentage of
        images whose class is the simulation's; `largest_difference` and `mean_difference` of
        logits, in steps of the output's grid (of a float file: in logits). A path that cannot run
        the file has `error` alone.
    """
    found: dict[str, Any] = {}
    for path in KERNELS:
        try:
            file = LiteFile(content, path)
            logits = np.concatenate([file.logits(batch) for batch in inputs()])
        except (QbenchError, RuntimeError, ValueError) as error:
            found[path] = {"error": str(error).strip().split("\n")[0]}
            continue
        apart = np.abs(logits - expected) / (file.output_step() or 1.0)
        agreeing = logits.argmax(axis=1) == expected.argmax(axis=1)
        found[path] = {
            **figures_of(logits, labels, classes),
            "agreement": 100.0 * float(np.mean(agreeing)),
            "largest_difference": float(apart.max()),
            "mean_difference": float(apart.mean()),
        }
    return found


def figures_of(logits: Values, labels: NDArray[np.int64], classes: int) -> dict[str, float]:
    """Accuracy and recall@5, in percent, of logits (N, classes)."""
    predicted = logits.argmax(axis=1)
    figures = metrics(labels, predicted, label_ranks(logits, labels), classes)
    return {key: figures[key] for key in ("accuracy", "recall_at_5")}
