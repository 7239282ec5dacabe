"""What the runs of a plan depend on besides their settings, and jobs that have it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from qbench.base.outside import folder
from qbench.base.paths import from_anywhere
from qbench.config.experiment import Experiment
from qbench.data import load_chosen
from qbench.data.source import Reading, reading_of
from qbench.engine import imagenet, run_record
from qbench.engine.spec import JobSpec, Policy
from qbench.planning.code import hashes_of
from qbench.planning.execution import Engine
from qbench.planning.plan import Plan, Run


@dataclass(frozen=True)
class Inputs:
    """What the runs of a plan depend on besides their settings and the device.

    Attributes:
        data: for each run, the facts about its data.
        weights: for each run, the result of `imagenet.contents`.
    """

    data: tuple[dict[str, Any], ...]
    weights: tuple[dict[str, str], ...]


def inputs_of(plan: Plan, hashes: imagenet.Hashes = imagenet.here) -> Inputs:
    """Load and check all data.

    Args:
        plan: the plan; its numbers of steps do not count.
        hashes: computes the hashes of ImageNet's weights, for runs that begin with them.

    Raises:
        QbenchError: data are missing or damaged, or Keras cannot have ImageNet's weights.
    """
    facts = _facts(plan.runs)
    weights = imagenet.contents((run.experiment for run in plan.runs), hashes)
    return Inputs(facts, tuple(weights))


def _facts(runs: Sequence[Run]) -> tuple[dict[str, Any], ...]:
    """The facts about each run's data; every data set is loaded once and not kept."""
    found: list[dict[str, Any]] = [{} for _ in runs]
    places: dict[Reading, list[int]] = {}
    for number, run in enumerate(runs):
        places.setdefault(reading_of(run.experiment.data), []).append(number)
    for numbers in places.values():
        loaded = load_chosen(runs[numbers[0]].experiment.data)
        for number in numbers:
            found[number] = run_record.data_facts(runs[number].experiment, loaded)
        del loaded  # frees memory for the next data set; the loader keeps at most one
    return tuple(found)


def unstarted(
    engine: Engine, experiment: Experiment, inputs: Inputs, number: int, root: Path
) -> JobSpec:
    """A job with nothing to do, without name and device.

    Args:
        engine: how it is done.
        experiment: its configuration.
        inputs: the inputs of a plan.
        number: the run of the plan whose inputs it has.
        root: holds `runs/`.
    """
    return JobSpec(
        root=root.absolute(),
        id="",
        label="",
        experiment=experiment,
        segments=(),
        runs=(),
        device="",
        data=inputs.data[number],
        data_folder=from_anywhere(experiment.data.dir),
        folder=str(folder()),
        code=hashes_of(experiment) | inputs.weights[number],
        policy=Policy(engine.retries, engine.isolate, engine.fail_fast, engine.track),
    )
