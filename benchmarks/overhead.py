"""What the engine costs over a bare training loop on the same steps, checkpoints included.

    python benchmarks/overhead.py [overrides]

In one process, interleaved: the training loop alone, and the engine's execution of the same run
(path, locks, checkpoints every tenth of the steps, state of the trunk), both after a warm-up that
compiles the steps. Evaluation and records are in neither.
"""

from __future__ import annotations

import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from common import chosen, save, spread

from qbench.base import device
from qbench.cli.hydra_app import settings_of
from qbench.config.experiment import Experiment
from qbench.data import load, split
from qbench.engine.execute import _Execution
from qbench.engine.networks import network_for
from qbench.engine.single import single_job

ROUNDS = 20


def experiment_of(overrides: list[str]) -> Experiment:
    """The experiment under these overrides, on the digits if they name no study."""
    from hydra import compose, initialize_config_dir

    from qbench.base.paths import config_folder

    with initialize_config_dir(str(config_folder()), version_base="1.3"):
        base = settings_of(compose("config", overrides=chosen(overrides)[1])).base
    return base.with_values({"train.checkpoint_every": max(base.train.steps // 10, 1)})


def quiet(*_: Any) -> None:
    """Reports nothing."""


def main() -> None:
    """Print the ratios."""
    from qbench.training.loop import train

    experiment = experiment_of(sys.argv[1:])
    device.start(experiment.threads)
    data = split(load(experiment.data.name, experiment.data.dir), experiment.data)
    network = network_for(experiment, data)
    job = single_job(experiment, Path(), device.kind())
    kept = tuple(replace(segment, keep=True) for segment in job.segments)
    job = replace(job, runs=(), segments=kept)
    network.initialise(0)
    train(network, experiment, data, quiet)

    def bare() -> float:
        start = time.perf_counter()
        network.initialise(experiment.seed)
        train(network, experiment, data, quiet)
        return time.perf_counter() - start

    def engine() -> float:
        with tempfile.TemporaryDirectory() as folder:
            start = time.perf_counter()
            _Execution(replace(job, root=Path(folder)), data, quiet, quiet).run()
            return time.perf_counter() - start

    ratios = []
    for number in range(ROUNDS):
        contenders = (bare, engine) if number % 2 else (engine, bare)  # neither always goes first
        taken = {contender: contender() for contender in contenders}
        ratios.append(taken[engine] / taken[bare])
        print(
            f"bare {taken[bare]:6.2f} s   engine {taken[engine]:6.2f} s   ratio {ratios[-1]:.4f}",
            flush=True,
        )
    result = spread(ratios)
    print(f"median ratio {result['median']:.4f} over {ROUNDS} rounds")
    command = " ".join(["python benchmarks/overhead.py", *sys.argv[1:]])
    save("overhead", command, {"rounds": ROUNDS, "ratio": result})


if __name__ == "__main__":
    main()
