"""When the first stage of a sweep with `train.steps=auto` ends, and which number it decides."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from qbench.base import allowed, checks
from qbench.base.errors import QbenchError
from qbench.base.setting import NEVER, Group, setting
from qbench.config.experiment import plain
from qbench.config.train import AUTO

PATIENCE, MOST = "patience", "most"
"""Why a first stage ended."""


@dataclass(frozen=True)
class Decision:
    """What a first stage decides.

    Attributes:
        steps: the number of steps.
        ended: PATIENCE if no evaluation improved on it for long enough, MOST at the most steps.
    """

    steps: int
    ended: str


@dataclass(frozen=True)
class Decided:
    """The number of steps that a first stage decided for rows, see `planning.first_stage`.

    Attributes:
        id: the id of the decision.
        steps: the number.
        rows: the labels of the rows.
        seed: the seed of the float training that decided it.
        ended: why its first stage ended, PATIENCE or MOST.
    """

    id: str
    steps: int
    rows: tuple[str, ...]
    seed: int
    ended: str = PATIENCE


@dataclass(frozen=True, kw_only=True)
class EarlyStopping(Group, prefix="train"):
    """`train.auto_*`: early stopping with `train.steps=auto`; no field counts in a run's identity.

    The score is the first metric of the task on the validation images.
    """

    auto_every: int = setting(
        100,
        check=allowed.whole(1),
        effect=NEVER,
        help="with `train.steps=auto`: steps between two evaluations on the validation images",
    )
    auto_patience: int = setting(
        10,
        check=allowed.whole(1),
        effect=NEVER,
        help="with `train.steps=auto`: the first stage ends after this number of evaluations"
        " without an improvement",
    )
    auto_min_delta: float = setting(
        0.0,
        check=allowed.number(0),
        effect=NEVER,
        help="with `train.steps=auto`: an evaluation is an improvement if it is better than the"
        " best one by more than this value, in the unit of the first metric",
    )
    auto_most: int = setting(
        100_000,
        check=allowed.whole(1),
        effect=NEVER,
        help="with `train.steps=auto`: the most steps of the first stage, and so of every run",
    )

    def __post_init__(self) -> None:
        """Checks the values, and that there is an evaluation before the end."""
        super().__post_init__()
        if self.auto_every > self.auto_most:
            most = f"at most {self.auto_most}, the value of train.auto_most"
            raise checks.wrong("train.auto_every", self.auto_every, most)

    def decide(self, scores: Sequence[float], higher_is_better: bool) -> Decision | None:
        """The decision from the scores of all evaluations so far; None if training goes on.

        Args:
            scores: the score of each evaluation, in order; finite.
            higher_is_better: whether a higher score is better.
        """
        best, at = -math.inf, 0
        sign = 1 if higher_is_better else -1
        for number, score in enumerate(scores, 1):
            if number == 1 or sign * score > best + self.auto_min_delta:
                best, at = sign * score, number
        if len(scores) - at >= self.auto_patience:
            return Decision(self.step_of(at), PATIENCE)
        if self.step_of(len(scores)) >= self.auto_most:
            return Decision(self.step_of(at), MOST)
        return None

    def step_of(self, number: int) -> int:
        """The step of an evaluation, counted from 1."""
        return min(number * self.auto_every, self.auto_most)

    def as_config(self) -> dict[str, Any]:
        """Plain data that `from_config` reads."""
        found: dict[str, Any] = plain(self)
        return found

    @staticmethod
    def from_config(config: Mapping[str, Any]) -> EarlyStopping:
        """From plain data."""
        return EarlyStopping(**config)


NO_AUTO = EarlyStopping()


def refuse_unused(auto: EarlyStopping, explicit: Iterable[str], undecided: bool) -> None:
    """Check that settings of a first stage were given only if there is one.

    Args:
        auto: the settings.
        explicit: the keys that the user set.
        undecided: whether there is a first stage.

    Raises:
        QbenchError: there is none.
    """
    for key in explicit:
        if key.startswith(f"{auto.prefix}.auto_") and not undecided:
            value = getattr(auto, key.rpartition(".")[2])
            raise QbenchError(f"{key}={value}: it has an effect only with train.steps={AUTO}.")
