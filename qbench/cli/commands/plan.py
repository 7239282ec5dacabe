"""The verb `plan`."""

from __future__ import annotations

import argparse
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn

from qbench.base.errors import QbenchError
from qbench.cli import hydra_app

if TYPE_CHECKING:
    from qbench.engine.sweep import Launch
    from qbench.planning.plan import Plan

HELP = """usage: qbench plan [overrides] [--workers N] [--step-seconds S] [--json]

Shows what `qbench sweep` with the same overrides would run: every run with its float and quantized
steps, the tree of segments that runs share, and how long it takes; with budget= also how many
seeds it is expected to give. Trains nothing and imports no TensorFlow.

  --workers N        length on N workers (default: workers=), as a launcher runs it: in batches,
                     with a barrier between
  --step-seconds S   seconds of one step; default: from the study's records, if there are any
  --json             for programs: steps_unshared, steps_shared, ratio (shared / unshared), ...
"""


class _Parser(argparse.ArgumentParser):
    """Leaves overrides and Hydra's flags unchanged; reports a mistake in one sentence."""

    def error(self, message: str) -> NoReturn:
        raise QbenchError(f"qbench plan: {message}.")


def main(arguments: list[str]) -> int:
    """Run the verb."""
    parser = _Parser(add_help=False, allow_abbrev=False)
    parser.add_argument("--workers", type=int)
    parser.add_argument("--step-seconds", type=float)
    parser.add_argument("--json", action="store_true")
    options, overrides = parser.parse_known_args(arguments)
    if options.workers is not None and options.workers < 1:
        raise QbenchError(f"--workers {options.workers}: expected a whole number of at least 1.")
    seconds = options.step_seconds
    if seconds is not None and not 0 < seconds < math.inf:
        raise QbenchError(f"--step-seconds {seconds}: expected a number above 0.")
    hydra_app.sweep(Forecast(options.workers, seconds, options.json), overrides)
    return 0


@dataclass(frozen=True)
class Forecast:
    """Prints the forecast of a plan; see HELP for the options."""

    workers: int | None
    step_seconds: float | None
    as_json: bool

    def __call__(self, plan: Plan, launch: Launch) -> None:
        """Print the forecast; no job is launched."""
        from qbench.planning.forecast import print_forecast

        workers = self.workers or plan.settings.engine.workers
        print_forecast(plan, workers, self.step_seconds, self.as_json)
