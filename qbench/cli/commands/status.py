"""The verb `status`."""

from __future__ import annotations

import sys

from qbench.base.errors import QbenchError
from qbench.base.paths import given
from qbench.cli.watching import counts, run_states, watch

HELP = """usage: qbench status [--watch] DIR

Shows the runs of the sweep in DIR: done, running, failed or waiting. Reads only.

  --watch   show it again whenever something changes, until the sweep ends; Ctrl-C ends it before.
            Without a terminal every change is a line
"""

_WATCH = "--watch"


def main(arguments: list[str]) -> int:
    """Run the verb."""
    folders = [argument for argument in arguments if argument != _WATCH]
    wrong = [argument for argument in folders if argument.startswith("-")]
    if wrong:
        raise QbenchError(f"{wrong[0]} is not an option of qbench status; there is {_WATCH}.")
    if len(folders) != 1:
        raise QbenchError("qbench status takes the folder of one sweep: qbench status DIR.")
    folder = given(folders[0])
    if _WATCH in arguments:
        watch(folder, sys.stdout)
        return 0
    states = run_states(folder)
    for label, state in states:
        print(f"{state:<8} {label}")
    print(counts(states))
    return 0
