"""A file run on every kernel path of the runtime, over test images."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qbench.base.errors import QbenchError, WrongFile
from qbench.base.reasons import reason
from qbench.deploy import plausible
from qbench.deploy.file_graph import FileGraph
from qbench.deploy.lite import KERNELS, LiteFile
from qbench.tasks.evaluation import label_ranks, metrics

Values = NDArray[np.float32]


@dataclass(frozen=True)
class Expected:
    """What a file's answers are held against.

    Attributes:
        logits: (N, classes) of the simulation with the file's ranges.
        most: how far a file may be from them; None if that depends on the run.
        graph: logits (n, classes) that the graph which was converted gives to the first images.
        near: how far a file may be from these.
        largest: the largest magnitude of any of the network's tensors.
    """

    logits: Values
    most: float | None
    graph: Values
    near: float
    largest: float = 0.0


def measure(
    content: bytes,
    expected: Expected,
    inputs: Callable[[], Iterable[Values]],
    labels: NDArray[np.int64],
    classes: int,
) -> dict[str, Any]:
    """What a file does on each kernel path that can run it.

    Args:
        content: the file.
        expected: what it should do.
        inputs: gives the network inputs from the first on, in batches (B, H, W, C); called for each
            kernel path, so that they need not be in memory all at once.
        labels: (N,).
        classes: number of classes.

    Returns:
        By kernel path: `accuracy` and `recall_at_5` in percent; `agreement`, the percentage of
        images whose class is the simulation's; `largest_difference` and `mean_difference` of
        logits, in steps of the output's grid (of a float file: in logits). A path that cannot run
        the file has `error` alone.

    Raises:
        WrongFile: no path runs the file, or one that does gives answers that its kind does not
            explain.
    """
    found: dict[str, Any] = {}
    for path in KERNELS:
        try:
            file = LiteFile(content, path)
            logits, again = _answers(file, inputs())
        except (QbenchError, RuntimeError, ValueError) as error:
            found[path] = {"error": reason(error)}
            continue
        fault = _fault(file, logits, again, expected)
        if fault:
            raise WrongFile(f"on the {path} kernels the file {fault}.")
        apart = np.abs(logits - expected.logits) / (file.output_step() or 1.0)
        agreeing = logits.argmax(axis=1) == expected.logits.argmax(axis=1)
        found[path] = {
            **figures_of(logits, labels, classes),
            "agreement": 100.0 * float(np.mean(agreeing)),
            "largest_difference": float(apart.max()),
            "mean_difference": float(apart.mean()),
        }
    if all("error" in row for row in found.values()):
        reasons = "; ".join(f"{path}: {row['error']}" for path, row in found.items())
        raise WrongFile(f"no kernel path of the runtime runs the file ({reasons}).")
    return found


def _answers(file: LiteFile, batches: Iterable[Values]) -> tuple[Values, Values]:
    """Logits of all batches, and those of the first one when it is run once more at the end."""
    parts, first = [], None
    for batch in batches:
        first = batch if first is None else first
        parts.append(file.logits(batch))
    assert first is not None
    return np.concatenate(parts), file.logits(first)


def _fault(file: LiteFile, logits: Values, again: Values, expected: Expected) -> str | None:
    """What is wrong with a file's answers to all images, and to the first ones once more."""
    if not np.array_equal(logits[: len(again)], again, equal_nan=True):
        return "gives other logits when it is run again"
    leave = file.output()
    too_wide = plausible.too_wide(leave.scale, leave.dtype, expected.graph)
    if too_wide:
        return too_wide
    one = plausible.unit(leave.scale, leave.dtype, expected.logits, expected.largest)
    first = logits[: len(expected.graph)]
    fault = plausible.fault(first, expected.graph, one, expected.near, "the converted graph")
    if fault is None and expected.most is not None:
        fault = plausible.fault(logits, expected.logits, one, expected.most, "the simulation")
    return fault


def figures_of(logits: Values, labels: NDArray[np.int64], classes: int) -> dict[str, float]:
    """Accuracy and recall@5, in percent, of logits (N, classes)."""
    predicted = logits.argmax(axis=1)
    figures = metrics(labels, predicted, label_ranks(logits, labels), classes)
    return {key: figures[key] for key in ("accuracy", "recall_at_5")}


def graph_of(content: bytes) -> FileGraph:
    """The operators of a file, whichever kernels it can be opened with.

    Raises:
        WrongFile: there are none.
    """
    said = []
    for path in ("builtin", "reference", "xnnpack"):
        try:
            return LiteFile(content, path).graph()
        except QbenchError as error:
            said.append(f"{path}: {error}")
    raise WrongFile(f"no kernel path of the runtime opens the file ({'; '.join(said)}).")
