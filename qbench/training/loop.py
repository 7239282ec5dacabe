"""The training loop: steps of one phase over a network's variables."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from qbench.base.errors import Diverged
from qbench.config.experiment import Experiment
from qbench.data.balance import batches_of, example_weights
from qbench.data.dataset import Dataset
from qbench.schemes.phases import PhaseEnd, beginning, spans, tail
from qbench.training.feeding import feed
from qbench.training.network import Network

# Losses are fetched in blocks of steps, so that training does not wait for a GPU in every step.
_BLOCK = 50

# The error of TensorFlow's ops for a given range with an end that is not finite.
_NO_RANGE = re.compile(r"Invalid range: input_min \S+ > input_max -?(nan|inf)|input_min -?nan")

Report = Callable[[int, float], None]


def train(
    network: Network, experiment: Experiment, data: Dataset, report: Report
) -> list[dict[str, Any]]:
    """Train an initialised network for all steps of an experiment, without interruption.

    Args:
        network: a network that was initialised with the experiment's seed.
        experiment: the experiment to train.
        data: the data of the experiment.
        report: called with (number of new steps, last loss) after each block of steps.

    Returns:
        The training history, see `history`.

    Raises:
        Diverged: a loss was not finite.
    """
    losses: list[float] = []
    for name, first, end in spans(experiment.phases):
        train_phase(network, experiment, data, name, (first, end), losses, report)
    finish(network, experiment)
    return history(losses, experiment.phases, experiment.train.log_every)


def finish(network: Network, experiment: Experiment) -> None:
    """Begin the phases after the last step. The network must be in the state after all steps."""
    phases = tail(experiment.phases)
    network.enter(experiment.scheme, phases, experiment.seed, experiment.train.number_of_steps)


def train_phase(
    network: Network,
    experiment: Experiment,
    data: Dataset,
    phase: str,
    span: tuple[int, int],
    losses: list[float],
    report: Report,
    checkpoint: Callable[[], None] | None = None,
) -> float | None:
    """Train the steps from span[0] to span[1], without span[1], in one phase.

    Args:
        network: the network, in the state after span[0] steps.
        experiment: the experiment to train.
        data: the data of the experiment.
        phase: the name of the phase. If the first step is the first one of the phase, the phase
            begins here, after the phases without steps before it.
        span: the first step and the step after the last.
        losses: the losses so far; this function appends the losses of the new steps.
        report: called with (number of new steps, last loss) after each block of steps.
        checkpoint: called after every `train.checkpoint_every` steps, when `losses` is complete.

    Returns:
        The mean seconds of a step. The first block of steps does not count, because the step is
        compiled in it. None if there was no other block.

    Raises:
        Diverged: a loss was not finite.
    """
    first, end = span
    if first == end:
        return None
    scheme = experiment.scheme
    network.enter(scheme, beginning(experiment.phases, phase, first), experiment.seed, first)
    step = network.step_in(scheme, phase)
    batches = batches_of(experiment.train, data, experiment.seed)
    weights = example_weights(experiment.train, data)
    seed = tf.constant(experiment.seed, tf.int64)
    every = experiment.train.checkpoint_every or 0
    block, numbers = _Block(losses, report), range(first, end)
    with feed(data, batches, numbers, weights) as fed:
        for number, batch in zip(numbers, fed, strict=True):
            block.take(number, step, *batch, seed)
            save = every and (number + 1) % every == 0 and number + 1 < end
            if block.full or number == end - 1 or save:
                block.fetch(number)
            if save and checkpoint is not None:
                checkpoint()
    return block.seconds(end - 1)


class _Block:
    """The last steps of a phase, whose losses are not fetched yet."""

    def __init__(self, losses: list[float], report: Report) -> None:
        """`losses` gets the losses that are fetched; `report` see `train_phase`."""
        self._losses = losses
        self._report = report
        self._pending: list[Any] = []
        self._warm: tuple[int, float] | None = None

    @property
    def full(self) -> bool:
        """Whether it is time to fetch."""
        return len(self._pending) == _BLOCK

    def take(self, number: int, step: Any, *given: Any) -> None:
        """Take the step of this number with what is given; Diverged if it finds that it cannot."""
        try:
            self._pending.append(step(*given, tf.constant(number, tf.int64)))
        except tf.errors.InvalidArgumentError as error:
            _finite(self._pending, number - len(self._pending))
            if _NO_RANGE.search(str(error)):
                raise Diverged(number) from error
            raise

    def fetch(self, number: int) -> None:
        """Fetch the losses up to this step; Diverged if one is not finite."""
        self._losses += _finite(self._pending, number + 1 - len(self._pending))
        self._report(len(self._pending), self._losses[-1])
        self._pending = []
        self._warm = self._warm or (number, time.perf_counter())

    def seconds(self, last: int) -> float | None:
        """Mean seconds of a step after the first block, up to the last; None if there is none."""
        if self._warm is None or self._warm[0] == last:
            return None
        return (time.perf_counter() - self._warm[1]) / (last - self._warm[0])


def _finite(pending: list[Any], first: int) -> list[float]:
    values = [float(loss) for loss in pending]
    for offset, value in enumerate(values):
        if not np.isfinite(value):
            raise Diverged(first + offset)
    return values


def history(
    losses: Sequence[float],
    phases: Sequence[PhaseEnd],
    every: int,
    since: int = 0,
    growing: bool = False,
) -> list[dict[str, Any]]:
    """The training history as rows.

    Args:
        losses: the loss of each step, from the first step on.
        phases: the phases of the run.
        every: number of steps averaged into one row; the last row of a phase may cover fewer.
        since: leaves out the rows up to this step, the `step` of an earlier row.
        growing: leaves out a last row whose steps are not all done.

    Returns:
        Rows of `step` (steps done), `phase` (its name) and `loss` (the mean of the task's loss over
        the row's steps).
    """
    rows: list[dict[str, Any]] = []
    for phase, first, end in spans(phases):
        done = min(end, len(losses))
        for k in range(max(first, since), done, every):
            last = min(k + every, done)
            if growing and last < min(k + every, end):
                break
            loss = str(np.float32(np.mean(losses[k:last])))
            rows.append({"step": last, "phase": phase, "loss": loss})
    return rows
