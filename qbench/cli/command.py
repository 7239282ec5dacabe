"""What a verb does with a plan, as a value; and the function that launchers run."""

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
"""Called with the plan, and with what hands jobs to the configured launcher."""


OTHER_SWEEPER = "hydra/sweeper: designs are expanded by qbench alone; leave it out."


@dataclass(frozen=True)
class CommandTask:
    """A command as a task function, the form in which Hydra passes it to the sweeper."""

    command: Command

    def __call__(self, config: Any) -> NoReturn:
        """Called by other sweepers than qbench's, which hands `run_job` to launchers."""
        raise QbenchError(OTHER_SWEEPER)


def run_job(config: Any) -> Ended:
    """Run one job of a sweep, in the process that the launcher chose; raises nothing."""
    from qbench.engine.client import end_job
    from qbench.engine.orphans import leave_with_parent

    leave_with_parent()
    return end_job(Path(config.job))
