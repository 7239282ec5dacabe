"""Shows runs in other programs while they train; changes no result.

A tracker writes files of its own below the root. An error in one is said, and training goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from typing import Any, Protocol

from qbench.base.errors import QbenchError
from qbench.config.experiment import Experiment
from qbench.engine.spec import JobSpec

TENSORBOARD = "tensorboard"
_NEEDS = "track=tensorboard: needs the package tensorboard (pip install 'qbench-qat[tensorboard]')."

Say = Callable[[str], None]
Report = Callable[[int, float], None]


class Tracker(Protocol):
    """Shows one job."""

    def follow(self, losses: Sequence[float]) -> None:
        """Called after each block of steps, with the losses of all steps so far."""

    def scored(self, metric: str, scores: Mapping[int, float]) -> None:
        """Called after each evaluation of a first stage, with all scores so far by their steps."""

    def ended(
        self,
        run: str,
        experiment: Experiment,
        record: Mapping[str, Any],
        losses: Sequence[float],
    ) -> None:
        """Called with the complete record of each run of the job, before it is written."""


class _Untracked:
    """Shows nothing."""

    def follow(self, losses: Sequence[float]) -> None:
        """Do nothing."""

    def scored(self, *given: Any) -> None:
        """Do nothing."""

    def ended(self, *given: Any) -> None:
        """Do nothing."""


class _Careful:
    """Another tracker, until it cannot write; then training goes on without it."""

    def __init__(self, tracker: Tracker, say: Say) -> None:
        self._tracker: Tracker = tracker
        self._say = say

    def follow(self, *given: Any) -> None:
        """As the tracker."""
        self._try(self._tracker.follow, *given)

    def scored(self, *given: Any) -> None:
        """As the tracker."""
        self._try(self._tracker.scored, *given)

    def ended(self, *given: Any) -> None:
        """As the tracker."""
        self._try(self._tracker.ended, *given)

    def _try(self, show: Callable[..., None], *given: Any) -> None:
        try:
            show(*given)
        except OSError as error:
            self._tracker = _Untracked()
            self._say(
                f"track=tensorboard: {error}; training goes on, and is not shown any further."
            )


def check_tracking(track: str | None) -> None:
    """Check before training that a run can be shown.

    Raises:
        QbenchError: a package is missing.
    """
    if track == TENSORBOARD and not _is_installed():
        raise QbenchError(_NEEDS)


def tracker_of(spec: JobSpec, say: Say) -> Tracker:
    """What shows a job, as its policy says.

    Args:
        spec: the job.
        say: called with a line of text for the user, if the job cannot be shown.
    """
    if spec.policy.track != TENSORBOARD:
        return _Untracked()
    if not _is_installed():  # on another machine than the sweep
        say(f"{_NEEDS.removesuffix('.')}; training goes on, and is not shown.")
        return _Untracked()
    from qbench.engine.tracking.tensorboard import EventFiles

    return _Careful(EventFiles(spec), say)


def reporting(tracker: Tracker, losses: Callable[[], Sequence[float]], report: Report) -> Report:
    """A function for a training loop that also informs the tracker.

    Args:
        tracker: the tracker.
        losses: returns the losses of all steps so far.
        report: called with (new steps, last loss).
    """

    def both(new: int, loss: float) -> None:
        report(new, loss)
        tracker.follow(losses())

    return both


def _is_installed() -> bool:
    return find_spec("tensorboard") is not None
