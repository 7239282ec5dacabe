"""The verb `verify-sharing`."""

from __future__ import annotations

from qbench.cli import hydra_app
from qbench.cli.commands.sweep import run_job

HELP = """usage: qbench verify-sharing [overrides]

Proves that sharing changes nothing: trains the runs of the design both ways, each by itself in one
go and all with shared segments that are stored and read back, and compares every weight bit by bit.
Exit code 0 only if all are equal.

  qbench verify-sharing                            the paper's design on the digits
  qbench verify-sharing 'design.factors=[quant.op]' train.steps=100
"""


def main(arguments: list[str]) -> int:
    """Run the verb."""
    hydra_app.run(run_job, arguments, sweep=True, more=["hydra.sweeper.action=verify"])
    return 0
