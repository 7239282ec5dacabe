"""The verb `sweep`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from qbench.cli import hydra_app

HELP = """usage: qbench sweep [overrides]

Runs a study's design and builds its table, figures and page. The default is the paper's: the float
baseline, the default quantized configuration, and each other level of each factor.

  qbench sweep                                     the scanned digits that come with scikit-learn
  qbench sweep study=cifar10_resnet8 data.dir=DIR  another study
  qbench sweep quant.bits=4                        another default level, the others vary around it
  qbench sweep quant.bits=8,2,3,4                  levels of that factor, the first its default
  qbench sweep 'design.factors=[quant.bits]'       only these factors
  qbench sweep design=factorial quant.bits=4,8 quant.op=qdq_v2,fake_quant
  qbench sweep 'seeds=[0,1,2]' out=DIR             three runs of each; everything in DIR

Steps that several runs have in common are trained once (share=false trains every run by itself,
with the same result). Finished runs are found and not run again; an interrupted sweep goes on where
it was. deploy.enabled=true converts every run (see qbench convert); a conversion that failed for a
reason that may pass, such as want of memory, is tried again by the same command.
Exit code: 0 if every run ended well, 1 if one failed, diverged or could not be converted for such a
reason (the others are in the table), a converted file gives wrong answers or a figure could not be
drawn, 2 if nothing could be run.
"""


def main(arguments: list[str]) -> int:
    """Run the verb."""
    hydra_app.run(run_job, arguments, sweep=True)
    return 0


def run_job(config: Any) -> str:
    """One job of a sweep, in whichever process the launcher chose; returns how it went."""
    from qbench.engine.client import do_job
    from qbench.engine.orphans import leave_with_parent

    leave_with_parent()
    return do_job(Path(config.job))
