"""Runs become LiteRT files: one folder, or all runs of a sweep."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tqdm import tqdm

from qbench import records
from qbench.deploy.kinds import kind_of
from qbench.engine.client import WorkerDied, worker_for
from qbench.errors import QbenchError
from qbench.experiment import Experiment
from qbench.progress import say
from qbench.settings import Deploy


def convert_folder(
    folder: Path, changes: Mapping[str, Any], calibration: str | None = None
) -> dict[str, Any]:
    """Convert the run in a folder and write the file and what was measured of it.

    Args:
        folder: of the run.
        changes: values of its configuration that are to differ, by dotted key.
        calibration: None, or `representative` to quantize a float run after training.

    Returns:
        What was measured; see `qbench.deploy.convert.export`.

    Raises:
        QbenchError: the run did not end well, its folder is damaged, or the converter refuses it.
    """
    status = records.read_record(folder)["status"]
    if status != "ok":
        raise QbenchError(f"{folder}: this run {status}; only one that ended well is converted.")
    from qbench.engine.finished import bring_back

    run = bring_back(folder, changes)
    from qbench.deploy.convert import export

    exported = export(run.network, run.experiment, run.data, calibration)
    report = {**exported.report, "weights_sha256": run.record["weights_sha256"]}
    records.write_export(folder, report, exported.content, calibration)
    return report


def try_conversion(experiment: Experiment) -> None:
    """Convert an untrained network of this kind.

    Raises:
        QbenchError: the converter refuses it.
    """
    from qbench import device

    device.start(experiment.threads, experiment.deterministic)
    from qbench.data import load
    from qbench.deploy.convert import attempt
    from qbench.engine.execute import network_for

    data = load(experiment.data.name, experiment.data.dir)
    attempt(network_for(experiment, data), experiment, data)


def try_conversions(experiments: Sequence[Experiment], isolate: bool) -> None:
    """Say at once what will not be convertible; nothing is raised.

    One of each kind of file and network is tried: what the converter refuses are the layers.

    Args:
        experiments: what a sweep is going to run.
        isolate: try in a worker process.
    """
    tried: dict[tuple[str, str, str], Experiment] = {}
    for experiment in experiments:
        kind = kind_of(experiment.quant).name
        network = experiment.model.as_key()
        tried.setdefault((kind, network, experiment.data.name), experiment)
    for (kind, *_), experiment in tried.items():
        error = _done(
            experiment, isolate, try_conversion, (experiment,), trial=experiment.as_config()
        )
        if error:
            say(f"No {kind} file can be made of {experiment.model.name}. {error}")


def export_runs(root: Path, runs: Mapping[str, Experiment], deploy: Deploy, isolate: bool) -> None:
    """Convert every run that ended well and has not been converted; nothing is raised.

    What cannot be converted is recorded with the reason.

    Args:
        root: holds `runs/`.
        runs: the experiment of each run, by id.
        deploy: how.
        isolate: convert in a worker process.
    """
    wanted: list[tuple[str, str | None]] = [(run, None) for run in runs]
    if deploy.calibration:
        floats = (run for run, experiment in runs.items() if not experiment.quant.enabled)
        wanted += [(run, deploy.calibration) for run in floats]
    waiting = [(run, how) for run, how in wanted if _is_waiting(root, run, how)]
    for run, how in tqdm(waiting, desc="convert", unit="run", disable=None, leave=False):
        folder, changes = records.run_folder(root, run), {"data.dir": runs[run].data.dir}
        request = {"convert": str(folder), "changes": changes, "calibration": how}
        error = _done(runs[run], isolate, convert_folder, (folder, changes, how), **request)
        if error:
            say(f"{folder}: not converted. {error}")
            weights = records.read_record(folder)["weights_sha256"]
            report = {"export": "none", "export_note": error, "weights_sha256": weights}
            records.write_export(folder, report, calibration=how)


def _is_waiting(root: Path, run: str, calibration: str | None) -> bool:
    record = records.finished(root, run)
    if record is None or record["status"] != "ok":
        return False
    report = records.read_export(records.run_folder(root, run), calibration)
    return report is None or report.get("weights_sha256") != record["weights_sha256"]


def _done(
    experiment: Experiment,
    isolate: bool,
    call: Callable[..., Any],
    arguments: tuple[Any, ...],
    **request: Any,
) -> str | None:
    """Make the call here, or the same request of a worker; returns why it could not be done."""
    if not isolate:
        try:
            call(*arguments)
        except QbenchError as error:
            return str(error)
        return None
    worker = worker_for(experiment.threads, experiment.deterministic)
    try:
        for event in worker.ask(**request):
            if event["event"] == "failed":
                return str(event["message"])
    except WorkerDied as error:
        return f"The worker process ended {error}."
    return None
