"""The verb `verify-sharing`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qbench.cli import hydra_app

if TYPE_CHECKING:
    from qbench.engine.sweep import Launch
    from qbench.planning.plan import Plan

HELP = """usage: qbench verify-sharing [overrides]

Proves that sharing changes nothing. Trains the runs of the design twice: each run alone without
interruption, and all runs with shared segments that are stored and read back. Then compares every
weight, range average and variable of a scheme bit by bit. Exit code 0 only if all are equal.

  qbench verify-sharing                            the default study's design
  qbench verify-sharing 'design.factors=[quant.op]' train.steps=100
"""


def main(arguments: list[str]) -> int:
    """Run the verb."""
    hydra_app.sweep(_verify, arguments)
    return 0


def _verify(plan: Plan, launch: Launch) -> None:
    from qbench.engine.verify import verify

    verify(plan)
