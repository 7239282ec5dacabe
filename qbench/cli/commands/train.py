"""The verb `train`."""

from __future__ import annotations

from typing import Any

from qbench.base.errors import QbenchError
from qbench.base.files import prepare_folder
from qbench.cli import hydra_app
from qbench.planning.early_stopping import refuse_unused
from qbench.planning.factors import impossible
from qbench.storage import layout

HELP = """usage: qbench train [overrides]

Runs one configuration, once for each of its seeds, and prints the results.

  qbench train quant.op=fake_quant quant.bits=4
  qbench train quant=none                          the float baseline
  qbench train data=mnist data.dir=DIR model=resnet8
  qbench train model=FILE.py:FUNCTION model.ARGUMENT=8    a network of your own
  qbench train model=FILE.keras model.head=new     a saved network, for other classes

A finished run is found and not run again. With train.checkpoint_every=N an interrupted run
continues from its last checkpoint. Exit code: 0 if every run ended well, 1 if a run failed or
diverged, 2 if nothing could be run.
"""


_OF_SWEEPS = ("budget", "stop_when")


class RunFailed(QbenchError):
    """A run failed or diverged."""


def main(arguments: list[str]) -> int:
    """Run the verb."""
    hydra_app.run(_train, arguments)
    return 0


def _train(config: Any) -> None:
    settings = hydra_app.settings_of(config)
    typed = hydra_app.explicit_keys(hydra_app.task_overrides())
    for key in _OF_SWEEPS:
        if key in typed:
            raise QbenchError(f"{key}: ends a sweep; qbench train takes the seeds that are given.")
    reason = impossible(settings.base, typed)
    if reason:
        raise QbenchError(reason)
    steps = settings.base.train.number_of_steps
    refuse_unused(settings.auto, typed, undecided=False)
    prepare_folder(settings.root, "out")

    from qbench.engine.progress import figures_line, remarks, run_bar
    from qbench.engine.single import run_single
    from qbench.engine.tracking import check_tracking

    check_tracking(settings.engine.track)
    bad, data = [], []
    for seed in settings.seeds:
        experiment = settings.base.with_values({"seed": seed})
        with run_bar(steps, f"seed {seed}") as report:
            record = run_single(experiment, settings.root, report, settings.engine.track)
        folder = layout.run_folder(settings.root, record["run"])
        print(f"seed {seed}: {figures_line(record, every=True)}  {folder}", flush=True)
        data.append(record["data"])
        bad += [record["status"]] if record["status"] != "ok" else []
    print(*remarks(data), sep="\n", end="\n" if remarks(data) else "")
    if bad:
        raise RunFailed(f"{len(bad)} of {len(settings.seeds)} runs did not end well.")
