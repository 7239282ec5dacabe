"""The verb `sweep`."""

from __future__ import annotations

import shlex
from functools import partial
from typing import TYPE_CHECKING

from qbench.base.errors import QbenchError
from qbench.cli import hydra_app

if TYPE_CHECKING:
    from qbench.engine.sweep import Launch
    from qbench.planning.plan import Plan

HELP = """usage: qbench sweep [overrides]

Runs a study's design and builds its table, figures and page. The default is the paper's: the float
baseline, the default quantized configuration, and each other level of each factor.

  qbench sweep                                     images of Fashion-MNIST that come with qbench
  qbench sweep study=digits                        the quick one: scanned digits, one seed
  qbench sweep study=cifar10_resnet8 data.dir=DIR  another study
  qbench sweep quant.bits=4                        another default level, the others vary around it
  qbench sweep quant.bits=8,2,3,4                  levels of that factor, the first its default
  qbench sweep 'design.factors=[quant.bits]'       only these factors
  qbench sweep design=factorial quant.bits=4,8 quant.op=qdq_v2,fake_quant
  qbench sweep 'seeds=[0,1,2]' out=DIR             three runs of each; everything in DIR
  qbench sweep 'seeds=range(4)' 'design.ensembles=[2]'  every row also as ensembles of two seeds
  qbench sweep budget=2h                           as many seeds as fit, one after the other
  qbench sweep 'seeds=range(12)' stop_when=decided  until no row is undecided, at most these seeds
  qbench sweep model=FILE.py:FUNCTION              a network of your own
  qbench sweep model=FILE.keras                    a saved network; training begins with its weights
  qbench sweep --config-dir DIR study=NAME         a study in your own DIR/study/NAME.yaml

With several seeds the table compares every row with the default, or with stats.reference=ROW
(docs/statistics.md). Five seeds are a good number.
Steps that several runs share are trained once. With share=false every run is trained alone; the
results are the same. Finished runs are found and not run again, and an interrupted sweep continues.
budget=TIME (2h, 90m, 3600s, 1h30m) counts for one command: the same command goes on with further
seeds. A seed is begun if it is expected to fit, and then done to its end.
deploy.enabled=true converts every run (see qbench convert). If a conversion failed for a reason
that may pass, such as too little memory, the same command tries it again.
Exit code: 0 if every run ended well. 1 if a run failed or diverged, if a conversion failed for such
a reason, if a converted file gives wrong answers, or if a figure could not be drawn; the other runs
are in the table. 2 if nothing could be run.
"""


class SweepIncomplete(QbenchError):
    """A part of a sweep could not be done; the rest is done and reported."""


def main(arguments: list[str]) -> int:
    """Run the verb."""
    hydra_app.sweep(partial(_sweep, _command(arguments)), arguments)
    return 0


def _command(arguments: list[str]) -> str:
    """The command as a shell takes it, without the folder of its results, which may be moved."""
    kept = [argument for argument in arguments if not argument.startswith("out=")]
    return shlex.join(["qbench", "sweep", *kept])


def _sweep(command: str, plan: Plan, launch: Launch) -> None:
    """Run the plan, build the report and print it.

    Args:
        command: the command, for the manifest.
        plan: the plan.
        launch: the function that runs jobs.

    Raises:
        SweepIncomplete: a run failed, diverged or could not be converted for a reason that may
            pass, its file gives wrong answers, or a figure could not be drawn.
    """
    from qbench.cli.commands.recommend import line
    from qbench.engine.sweep import run_sweep
    from qbench.engine.tracking import check_tracking
    from qbench.report.build import build_report
    from qbench.report.comparison import undecided

    check_tracking(plan.settings.engine.track)
    outcome = run_sweep(plan, launch, command, undecided)
    built = build_report(outcome.folder, line=line)
    print(built.text, flush=True)
    incomplete = outcome.incomplete + ([built.incomplete] if built.incomplete else [])
    if incomplete:
        raise SweepIncomplete(" ".join(incomplete))
