"""Decides a number of steps in the current process: trains a float network and stops early."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from qbench.base import device, environment
from qbench.base.errors import Diverged
from qbench.base.files import append_line
from qbench.data import Dataset
from qbench.engine import run_record, tracking
from qbench.engine.networks import network_for
from qbench.engine.spec import DecisionSpec, JobSpec
from qbench.planning.early_stopping import Decision
from qbench.schemes.phases import FLOAT
from qbench.storage import layout
from qbench.storage.decisions import Decisions
from qbench.storage.state import State

_SCORES = "validation_scores"  # among the arrays of a checkpoint


def decide(
    spec: JobSpec,
    wanted: DecisionSpec,
    data: Dataset,
    report: Callable[[int, float], None],
    say: Callable[[str], None],
) -> None:
    """Decide a number of steps, unless it is decided. Afterwards the decision is on disk.

    Args:
        spec: the job.
        wanted: its decision.
        data: its data, with validation images.
        report: called with (new steps, last loss) during training.
        say: called with a line of text for the user.

    Raises:
        LockLost: another process has taken over.
        DiskFull: there is no room for a checkpoint or for the decision.
    """
    decisions = Decisions(spec.root, say)
    decisions.make_folder()
    with decisions.locked(wanted.id):
        if decisions.read(wanted.id) is None:
            _Stage(spec, wanted, data, report, decisions, tracking.tracker_of(spec, say)).run()


class _Stage:
    """One first stage in progress."""

    def __init__(
        self,
        spec: JobSpec,
        wanted: DecisionSpec,
        data: Dataset,
        report: Callable[[int, float], None],
        decisions: Decisions,
        tracker: tracking.Tracker,
    ) -> None:
        self.spec = spec
        self.wanted = wanted
        self.data = data
        self.metric = data.task.metrics[0]
        self.tracker = tracker
        self.report = tracking.reporting(tracker, lambda: self.losses, report)
        self.decisions = decisions
        self.clock = run_record.Clock()
        self.losses: list[float] = []
        self.scores: list[float] = []

    def run(self) -> None:
        """Train until there is a decision, and store it."""
        self.network = network_for(self.spec.experiment, self.data)
        self.network.start_facts()  # reads the trained weights while they are known to be there
        before = self._resume()
        diverged, decision = None, None
        try:
            decision = self._trained()
        except Diverged as error:
            diverged = int(error.args[0])
        seconds = self.clock.lap()
        self.decisions.write(self.wanted.id, self._record(decision, diverged))
        line = {
            "job": self.spec.id,
            "label": self.spec.label,
            "steps": len(self.losses) - before,
            "train_seconds": seconds,
            "finished": run_record.now(),
        }
        append_line(layout.jobs_log(self.spec.root), line)

    def _resume(self) -> int:
        """Continue from the last checkpoint, if there is one; returns its number of steps."""
        state = self.decisions.load_partial(self.wanted.id)
        if state is None:
            self.network.initialise(self.spec.experiment.seed)
            return 0
        self.network.set_state(state)
        self.losses = [float(loss) for loss in state.losses]
        self.scores = [float(score) for score in state.arrays[_SCORES]]
        return len(self.losses)

    def _trained(self) -> Decision:
        from qbench.training.loop import train_phase

        rule, better = self.wanted.rule, self.metric.higher_is_better
        while (decision := rule.decide(self.scores, better)) is None:
            span = len(self.losses), rule.step_of(len(self.scores) + 1)
            train_phase(
                self.network,
                self.spec.experiment,
                self.data,
                FLOAT,
                span,
                self.losses,
                self.report,
                self._save,
            )
            self.scores.append(self._score())
            self._save()
            self.tracker.scored(self.metric.name, dict(self._scores()))
        return decision

    def _score(self) -> float:
        """The first metric on the validation images; Diverged if outputs are not finite."""
        from qbench.training.inference import run_validation

        found = run_validation(self.network, self.spec.experiment, self.data)
        assert found is not None  # the sweep refuses data without validation images
        if not np.all(np.isfinite(found[0])):
            raise Diverged(len(self.losses) - 1)
        return self.data.task.checked_score(*found)[self.metric.name]

    def _scores(self) -> Iterator[tuple[int, float]]:
        """Each evaluation so far: its step and its score."""
        for number, score in enumerate(self.scores, 1):
            yield self.wanted.rule.step_of(number), score

    def _save(self) -> None:
        state: State = self.network.state(self.losses)
        arrays = {**state.arrays, _SCORES: np.asarray(self.scores, np.float64)}
        self.decisions.save_partial(self.wanted.id, State(arrays, state.losses))

    def _record(self, decision: Decision | None, diverged: int | None) -> dict[str, Any]:
        """The record of the decision; `steps` is None if training diverged."""
        experiment, rule = self.spec.experiment, self.wanted.rule
        return {
            "planned": self.wanted.planned,
            "steps": decision and decision.steps,
            "ended": decision and decision.ended,
            "diverged": diverged,
            "metric": self.metric.as_config(),
            "scores": [{"step": step, "score": score} for step, score in self._scores()],
            "rule": rule.as_config(),
            "config": experiment.as_config(),
            "seed": experiment.seed,
            "data": dict(self.spec.data),
            "device": {"kind": device.kind(), "name": device.name()},
            "versions": environment.versions(),
            "finished": run_record.now(),
        }
