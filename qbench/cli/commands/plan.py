"""The verb `plan`."""

from __future__ import annotations

import argparse
import math
from typing import NoReturn

from qbench.base.errors import QbenchError
from qbench.cli import hydra_app
from qbench.cli.commands.sweep import run_job

HELP = """usage: qbench plan [overrides] [--workers N] [--step-seconds S] [--json]

What `qbench sweep` with the same overrides would run: every run with its float and quantized steps,
the tree of segments that runs share, and how long it takes. Trains nothing and imports no
TensorFlow.

  --workers N        length on N workers (default: workers=), as a launcher runs it: in batches,
                     with a barrier between
  --step-seconds S   seconds of one step; otherwise taken from the study's records, if there are any
  --json             for programs: steps_unshared, steps_shared, ratio (shared / unshared), ...
"""


class _Parser(argparse.ArgumentParser):
    """Leaves overrides and Hydra's flags alone; mistakes are one sentence."""

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
    given = [
        "hydra.sweeper.action=plan",
        f"hydra.sweeper.as_json={str(options.json).lower()}",
    ]
    if options.workers is not None:
        given.append(f"hydra.sweeper.workers={options.workers}")
    if seconds is not None:
        given.append(f"hydra.sweeper.step_seconds={seconds}")
    hydra_app.run(run_job, overrides, sweep=True, more=given)
    return 0
