"""usage: qbench evaluate RUN [overrides]

Evaluates a finished run again from its saved weights; RUN is its folder. Nothing is written.
Overrides may change how and on which copy of the data: eval.batch_size, eval.limit, data.dir.

Exit code: 0 if it could be evaluated, whether or not the figures are those recorded.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from qbench import device, records
from qbench.checks import known_keys
from qbench.errors import QbenchError
from qbench.experiment import Experiment

_CHANGEABLE = ("eval.batch_size", "eval.limit", "data.dir")


def main(arguments: list[str]) -> int:
    """Run the verb."""
    if not arguments:
        raise QbenchError("qbench evaluate takes the folder of a run: qbench evaluate RUN.")
    folder = Path(arguments[0])
    record = records.read_record(folder)
    config = records.read_json(folder / records.CONFIG, "the configuration of a run")
    changes = _changes(arguments[1:])
    experiment = Experiment.from_config(config).with_values(changes)
    figures = evaluate(experiment, record, folder)
    recorded = record["metrics"] or {}
    print(f"{'':<16} {'now':>12} {'recorded':>12}")
    for key, value in figures.items():
        old = f"{recorded[key]:12.4f}" if key in recorded else f"{'-':>12}"
        print(f"{key:<16} {value:12.4f} {old}")
    print("same as recorded" if figures == recorded else "differs from what is recorded")
    return 0


def _changes(overrides: list[str]) -> dict[str, Any]:
    """Values from `key=value` arguments."""
    import yaml

    changes = {}
    for text in overrides:
        key, equals, value = text.partition("=")
        if not equals:
            raise QbenchError(f"{text}: expected key=value.")
        changes[key] = yaml.safe_load(value)
    known_keys("", changes, _CHANGEABLE)
    return changes


def evaluate(experiment: Experiment, record: dict[str, Any], folder: Path) -> dict[str, float]:
    """Metrics of a run's saved weights under an experiment.

    Raises:
        QbenchError: the weights are missing or damaged, or the data are not the run's.
    """
    from qbench import runner
    from qbench.data import load
    from qbench.engine.execute import network_for

    if record["status"] == "failed":
        raise QbenchError(f"{folder}: this run failed; there is nothing to evaluate.")
    if not (folder / records.WEIGHTS).is_file():
        raise QbenchError(
            f"{folder / records.WEIGHTS}: no such file; weights are not kept with committed"
            " records: train the run again."
        )
    device.start(experiment.threads, experiment.deterministic)
    data = load(experiment.data.name, experiment.data.dir)
    if data.hash != record["data"]["hash"]:
        raise QbenchError(
            f"data.dir={experiment.data.dir}: not the data of this run (SHA-256 {data.hash[:12]},"
            f" recorded {record['data']['hash'][:12]})."
        )
    from qbench.training.inference import run_test_set

    network = network_for(experiment, data)
    network.restore(
        folder / records.WEIGHTS, records.read_json(folder / records.RANGES, "range averages")
    )
    if network.weights_hash() != record["weights_sha256"]:
        raise QbenchError(f"{folder / records.WEIGHTS}: not the weights that were recorded.")
    logits, labels = run_test_set(network, experiment, data)
    return runner.judge(logits, labels, data.classes)[0]
