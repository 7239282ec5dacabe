"""The settings of a sweep's execution and of its end, which count in no identity."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import islice
from typing import Any

from qbench.base import allowed, checks
from qbench.base.allowed import Allowed
from qbench.base.errors import QbenchError
from qbench.base.setting import NEVER, Group, setting

DECIDED = "decided"
FIRST_LOOK = 3  # seeds; with fewer hardly any interval decides
MOST = 20  # seeds of a sweep with a budget and no seeds on the command line

_NUMBER = r"(\d+(?:\.\d+)?)"
_TIME = re.compile(rf"(?:{_NUMBER}h)?(?:{_NUMBER}m)?(?:{_NUMBER}s)?", re.ASCII)


@dataclass(frozen=True, kw_only=True)
class Engine(Group):
    """The settings of a sweep's execution; none of them changes a result."""

    share: bool = setting(
        True,
        check=allowed.switch(),
        effect=NEVER,
        help="train steps only once if several runs share them",
    )
    keep_trunks: bool = setting(
        False,
        check=allowed.switch(),
        effect=NEVER,
        help="keep shared states after the last run that needs them",
    )
    retries: int = setting(
        1,
        check=allowed.whole(0, 100),
        effect=NEVER,
        help="how often qbench tries a job again if it failed or its process died",
    )
    fail_fast: bool = setting(
        False,
        check=allowed.switch(),
        effect=NEVER,
        help="stop at the first job that fails after all its retries",
    )
    isolate: bool = setting(
        True,
        check=allowed.switch(),
        effect=NEVER,
        help="train in worker processes. False: train in the process of the launcher's job, for"
        " debuggers",
    )
    device: str = setting(
        "auto",
        check=allowed.one_of(("auto", "cpu", "gpu")),
        effect=NEVER,
        help="the kind of device that the workers have. `auto`: qbench asks a worker on this"
        " machine",
    )
    workers: int = setting(
        1,
        check=allowed.whole(1, 1024),
        effect=NEVER,
        help="number of jobs at once on this machine, through joblib. Other launchers have their"
        " own setting",
    )
    track: str | None = setting(
        None,
        check=allowed.one_of(("tensorboard",)).or_null,
        effect=NEVER,
        help="show every run in [TensorBoard](tracking.md) while it trains. Null: do not",
    )


def _budget(key: str, value: Any) -> Any:
    if not isinstance(value, str) or not (seconds_of(value) or 0) > 0:
        raise checks.wrong(key, value, "a time above 0 such as 2h, 90m, 3600s or 1h30m")
    return value


def seconds_of(text: str) -> float | None:
    """The seconds of a time such as `2h`, `90m`, `3600s` or `1h30m`; None if it is no time."""
    found = _TIME.fullmatch(text)
    if not text or found is None:
        return None
    hours, minutes, seconds = (float(part or 0) for part in found.groups())
    return 3600 * hours + 60 * minutes + seconds


@dataclass(frozen=True, kw_only=True)
class Stopping(Group):
    """What ends a sweep before all its seeds are done; no field changes a run.

    A sweep with one of these is done seed by seed: all rows of one seed, then of the next.
    """

    budget: str | None = setting(
        None,
        check=Allowed(_budget, lambda: "time such as `2h`, `90m`, `3600s`, `1h30m`").or_null,
        effect=NEVER,
        help="time of one command: [as many seeds as"
        " fit](statistics-methods.md#as-many-seeds-as-needed), one after the other over all rows,"
        " the first one in any case. `seeds` on the command line are the most; without them the"
        f" study's seeds come first, then further ones, up to {MOST}",
    )
    stop_when: str | None = setting(
        None,
        check=allowed.one_of((DECIDED,)).or_null,
        effect=NEVER,
        help="`decided`: end after the seed with which no row is undecided any more. From the"
        f" {FIRST_LOOK}rd seed on all rows are compared after each seed, at a level [corrected for"
        " this](statistics-methods.md#as-many-seeds-as-needed)",
    )

    @property
    def seconds(self) -> float | None:
        """The budget in seconds; None if there is none."""
        return None if self.budget is None else seconds_of(self.budget)

    @property
    def by_seed(self) -> bool:
        """Whether the sweep is done seed by seed."""
        return self.budget is not None or self.stop_when is not None

    def seeds(self, typed: bool, seeds: tuple[int, ...]) -> tuple[int, ...]:
        """The most seeds of a sweep, in their order.

        Args:
            typed: whether the seeds stand on the command line.
            seeds: the seeds of the configuration.

        Raises:
            QbenchError: there are too few for `stop_when`.
        """
        if self.budget is not None and not typed:
            more = (seed for seed in range(MOST + len(seeds)) if seed not in seeds)
            seeds = (*seeds, *islice(more, max(0, MOST - len(seeds))))
        if self.stop_when is not None and len(seeds) < FIRST_LOOK:
            count = f"{len(seeds)} seed{'s' if len(seeds) > 1 else ''}"
            raise QbenchError(
                f"stop_when={self.stop_when} is not allowed with {count}: expected {FIRST_LOOK} or"
                " more, such as seeds=range(8), or a budget such as budget=2h."
            )
        return seeds

    def looks(self, seeds: int) -> int:
        """How often a sweep of at most this number of seeds compares its rows to stop; 1 if never.

        This is the number of times that an interval could be wrong, see `paired.corrected`.
        """
        return 1 if self.stop_when is None else most_looks(seeds)


def most_looks(seeds: int) -> int:
    """How many looks there can be at a table that grows seed by seed to this number of seeds."""
    return max(1, seeds - FIRST_LOOK + 1)


NO_STOPPING = Stopping()
