"""The training loop: a float phase, then a quantized phase, over one set of variables."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from qbench.data.batches import Batches
from qbench.data.dataset import Dataset
from qbench.errors import Diverged
from qbench.experiment import Experiment
from qbench.quantize.quantizer import scheme_of
from qbench.training.network import Network

# Losses are fetched in blocks, so that a GPU is not waited for in every step.
_BLOCK = 50

Report = Callable[[int, float], None]


def train(
    network: Network, experiment: Experiment, data: Dataset, report: Report
) -> list[dict[str, Any]]:
    """Train an initialised network for all steps of an experiment.

    Args:
        network: set to the experiment's seed.
        experiment: what to train.
        data: its data.
        report: called with (number of new steps, last loss) now and then.

    Returns:
        Rows of the history: `step` (steps done), `phase` (`float` or `quantized`), `loss` (mean
        softmax cross-entropy over the row's steps).

    Raises:
        Diverged: a loss was not finite.
    """
    start, end = experiment.quantization_start, experiment.train.steps
    history = _phase(network, None, experiment, data, (0, start), report)
    if end > start:
        scheme = scheme_of(experiment.quant)
        history += _phase(network, scheme, experiment, data, (start, end), report)
    return history


def _phase(
    network: Network,
    scheme: Any,
    experiment: Experiment,
    data: Dataset,
    span: tuple[int, int],
    report: Report,
) -> list[dict[str, Any]]:
    """The steps from span[0] up to but without span[1], in one phase."""
    first, end = span
    if first == end:
        return []
    step = network.train_step(scheme)
    batches = Batches(len(data.train_images), experiment.train.batch_size, experiment.seed)
    seed = tf.constant(experiment.seed, tf.int64)
    losses: list[float] = []
    pending: list[Any] = []
    for number in range(first, end):
        pending.append(step(batches.indices(number), seed, tf.constant(number, tf.int64)))
        if len(pending) == _BLOCK or number == end - 1:
            losses += _finite(pending, number + 1 - len(pending))
            report(len(pending), losses[-1])
            pending = []
    phase = "float" if scheme is None else "quantized"
    return _rows(losses, first, phase, experiment.train.log_every)


def _finite(pending: list[Any], first: int) -> list[float]:
    values = [float(loss) for loss in pending]
    for offset, value in enumerate(values):
        if not np.isfinite(value):
            raise Diverged(first + offset)
    return values


def _rows(losses: list[float], first: int, phase: str, every: int) -> list[dict[str, Any]]:
    """One row for each `every` steps; the last one may cover fewer."""
    return [
        {
            "step": first + min(k + every, len(losses)),
            "phase": phase,
            "loss": str(np.float32(np.mean(losses[k : k + every]))),
        }
        for k in range(0, len(losses), every)
    ]
