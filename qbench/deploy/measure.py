"""Runs a file on every kernel path of the runtime, over test images."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qbench.base.errors import QbenchError, WrongFile
from qbench.base.reasons import reason
from qbench.deploy import plausible, xnnpack_limits
from qbench.deploy.file_graph import FileGraph
from qbench.deploy.lite import KERNELS, LiteFile
from qbench.tasks.task import Task

Values = NDArray[np.float32]


@dataclass(frozen=True)
class Expected:
    """The expected answers of a file.

    Attributes:
        outputs: outputs (N, ...) of the simulation with the file's ranges.
        most: the largest allowed distance of the file from `outputs`; None if it depends on the
            run.
        graph: outputs (n, ...) of the converted graph for the first n images.
        near: the largest allowed distance of the file from `graph`.
        largest: the largest magnitude of any of the network's tensors.
        trained: whether the network is trained. Before that its outputs may be tiny, and the width
            of the output's grid says nothing.
    """

    outputs: Values
    most: float | None
    graph: Values
    near: float
    largest: float = 0.0
    trained: bool = True


@dataclass(frozen=True)
class Measured:
    """What a file did on every kernel path.

    Attributes:
        kernels: by kernel path: the task's leading metrics; `agreement`, the percentage of images
            with the same prediction as in the simulation; `largest_difference` and
            `mean_difference` of outputs, in steps of the output's grid (for a float file in the
            outputs' own unit). If a path cannot run the file, it has only `error`.
        predictions: the task's predictions, arrays (N, ...) by name, by kernel path that runs it.
    """

    kernels: dict[str, Any]
    predictions: dict[str, dict[str, NDArray[Any]]]


def measure(
    content: bytes,
    expected: Expected,
    inputs: Callable[[], Iterable[NDArray[Any]]],
    targets: NDArray[Any],
    task: Task,
) -> Measured:
    """Run a file on each kernel path that can run it.

    Args:
        content: the file.
        expected: the expected answers.
        inputs: a function that returns all inputs of the file in batches (B, H, W, C), see
            `LiteFile.codes`. It is called for each kernel path, so the inputs need not all be in
            memory.
        targets: the targets (N, ...) of the inputs.
        task: the task of the data set.

    Raises:
        WrongFile: no kernel path can run the file, or its answers on a path differ more than its
            kind allows.
    """
    found: dict[str, Any] = {}
    predictions = {}
    for path in KERNELS:
        try:
            file = LiteFile(content, path)
            outputs, again = _answers(file, inputs())
        except (QbenchError, RuntimeError, ValueError) as error:
            found[path] = {"error": _refusal(content, path, reason(error))}
            continue
        fault = _fault(file, outputs, again, expected, task)
        if fault:
            raise WrongFile(f"on the {path} kernels the file {fault}.")
        apart = np.abs(outputs - expected.outputs) / (file.output_step() or 1.0)
        found[path] = {
            **leading(task, outputs, targets),
            "agreement": 100.0 * float(np.mean(task.agree(outputs, expected.outputs))),
            "largest_difference": float(apart.max()),
            "mean_difference": float(apart.mean()),
        }
        predictions[path] = task.predictions(outputs, targets)
    if all("error" in row for row in found.values()):
        reasons = "; ".join(f"{path}: {row['error']}" for path, row in found.items())
        raise WrongFile(f"no kernel path of the runtime runs the file ({reasons}).")
    return Measured(found, predictions)


def _refusal(content: bytes, path: str, said: str) -> str:
    """Why a path cannot run a file: what the runtime said, and what is known about it."""
    known = xnnpack_limits.refused(graph_of(content)) if path == "xnnpack" else None
    return f"{known} ({said.removesuffix('.')})" if known else said


def _answers(file: LiteFile, batches: Iterable[NDArray[Any]]) -> tuple[Values, Values]:
    """The outputs of all batches, and the outputs of a second run of the first batch."""
    parts, first = [], None
    for batch in batches:
        first = batch if first is None else first
        parts.append(file.outputs(batch))
    assert first is not None
    return np.concatenate(parts), file.outputs(first)


def _fault(
    file: LiteFile, outputs: Values, again: Values, expected: Expected, task: Task
) -> str | None:
    """The fault in a file's answers, or None; `again` are second answers to the first images."""
    if not np.array_equal(outputs[: len(again)], again, equal_nan=True):
        return f"gives other {task.output_name} when it is run again"
    leave = file.output()
    too_wide = plausible.too_wide(leave.scale, leave.dtype, expected.graph, task)
    if too_wide and expected.trained:
        return too_wide
    one = plausible.unit(leave.scale, leave.dtype, expected.outputs, expected.largest)
    first = outputs[: len(expected.graph)]
    fault = plausible.fault(task, first, expected.graph, one, expected.near, "the converted graph")
    if fault is None and expected.most is not None:
        fault = plausible.fault(
            task, outputs, expected.outputs, one, expected.most, "the simulation"
        )
    return fault


def leading(task: Task, outputs: Values, targets: NDArray[Any]) -> dict[str, float]:
    """The task's leading metrics of outputs (N, ...), by name."""
    scores = task.checked_score(outputs, targets)
    return {metric.name: scores[metric.name] for metric in task.metrics if metric.place == "first"}


def graph_of(content: bytes) -> FileGraph:
    """The graph of a file, read with the first kernel path that can open it.

    Raises:
        WrongFile: no kernel path can open it.
    """
    said = []
    for path in ("builtin", "reference", "xnnpack"):
        try:
            return LiteFile(content, path).graph()
        except QbenchError as error:
            said.append(f"{path}: {error}")
    raise WrongFile(f"no kernel path of the runtime opens the file ({'; '.join(said)}).")
