"""The command of a verb as a value, and the function that launchers run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from qbench.base.errors import QbenchError

if TYPE_CHECKING:
    from qbench.engine.client import Ended
    from qbench.engine.sweep import Launch
    from qbench.planning.plan import Plan

Command = Callable[["Plan", "Launch"], None]
"""Called with the plan, and with a function that gives jobs to the configured launcher."""


OTHER_SWEEPER = "hydra/sweeper: designs are expanded by qbench alone; leave it out."


@dataclass(frozen=True)
class CommandTask:
    """Carries a command through Hydra to qbench's sweeper.

    Hydra passes only a task function to a sweeper, so this class is callable. qbench's sweeper
    reads `command` and never calls the object. Launchers call `run_job`.
    """

    command: Command

    def __call__(self, config: Any) -> NoReturn:
        """Called only by a sweeper that is not qbench's.

        Raises:
            QbenchError: always, because only qbench's sweeper expands designs.
        """
        raise QbenchError(OTHER_SWEEPER)


def run_job(config: Any) -> Ended:
    """Run one job of a sweep, in the process that the launcher chose; raises nothing."""
    from qbench.engine.client import end_job
    from qbench.engine.orphans import leave_with_parent

    leave_with_parent()
    return end_job(Path(config.job))
