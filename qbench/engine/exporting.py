"""The files of a sweep: which there are to be, and who makes them in the jobs."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import Any

from qbench.base.errors import NotConvertible, QbenchError, WrongFile
from qbench.config.experiment import Experiment
from qbench.data.preprocessing import side_of
from qbench.deploy.file_kind import check_file, kind_of
from qbench.engine import conversion_status
from qbench.engine.asking import Failure, Listener, WorkerDied
from qbench.engine.conversion_status import FileState
from qbench.engine.converting import refused
from qbench.engine.progress import say
from qbench.engine.resolve import ResolvedPlan
from qbench.engine.spec import FileSpec, JobSpec
from qbench.engine.workers import worker_for
from qbench.storage import conversions, layout, records


def refuse_schemes(experiments: Iterable[Experiment]) -> None:
    """Check before training that files can hold the scheme of some quantized run.

    Runs of other schemes have no file; `try_conversions` says so.

    Raises:
        QbenchError: there are quantized runs, and no file can hold any of their schemes.
    """
    reasons = []
    for experiment in experiments:
        if experiment.scheme is None:
            continue
        try:
            check_file(experiment.quant)
        except NotConvertible as error:
            reasons.append(error)
        else:
            return
    if reasons:
        raise QbenchError(f"deploy.enabled=true: {reasons[0]}") from reasons[0]


def try_conversions(experiments: Sequence[Experiment], isolate: bool) -> None:
    """Print before training which networks cannot be converted; raise nothing.

    One conversion for each file kind, scheme and network is enough: a refusal depends on nothing
    else.

    Args:
        experiments: the experiments of a sweep.
        isolate: see `qbench.engine.workers.worker_for`.
    """
    tried: dict[tuple[Any, ...], Experiment] = {}
    for experiment in experiments:
        kind = kind_of(experiment.quant).name
        network = experiment.model.as_key()
        data = experiment.data
        scheme = experiment.quant.scheme.name
        entry = experiment.deploy.input
        key = (kind, scheme, network, data.name, side_of(data), entry)
        tried.setdefault(key, experiment)
    for (kind, *_), experiment in tried.items():
        failure = _asked(experiment, isolate, "trial", experiment=experiment.as_config())
        if failure is None:
            continue
        if failure.export == WrongFile.export:
            say(
                f"{experiment.model.name}: the file ({kind}) gives wrong answers: {failure.message}"
            )
        elif failure.export:
            say(f"No {kind} file can be made of {experiment.model.name}. {failure.message}")
        else:
            say(f"{experiment.model.name}: a file ({kind}) could not be tried. {failure.message}")


Wanted = tuple[str, str | None]
"""A file: the id of its run, and its calibration (`qbench.engine.spec.FileSpec`)."""


def wanted_files(resolved: ResolvedPlan) -> list[Wanted]:
    """The files of a sweep; none if it converts nothing."""
    plan = resolved.plan
    runs = {resolved.ids[number]: plan.runs[number].experiment for number in plan.deployed}
    wanted: list[Wanted] = [(run, None) for run in runs]
    if plan.settings.deploy.calibration:
        floats = (run for run, experiment in runs.items() if not experiment.quant.enabled)
        wanted += [(run, plan.settings.deploy.calibration) for run in floats]
    return wanted


def files_to_make(root: Path, wanted: Iterable[Wanted]) -> list[Wanted]:
    """The files that are not made yet, also those of runs that are not trained yet.

    Prints a line for each file of a run whose weights are missing.

    Args:
        root: holds `runs/`.
        wanted: the files of the sweep.
    """
    found = []
    for run, how in wanted:
        state = conversion_status.state_of(root, run, how)
        if state in (FileState.UNTRAINED, FileState.WAITING):
            found.append((run, how))
        if state == FileState.WITHOUT_WEIGHTS:
            path = layout.run_folder(root, run) / layout.conversion_report(how)
            say(f"{path}: cannot be made: the run's weights are missing; train it again.")
    return found


def files_left(root: Path, resolved: ResolvedPlan, among: Collection[str]) -> list[str]:
    """The runs whose file is not made yet, once for each file, also if they are not trained yet.

    Args:
        root: holds `runs/`.
        resolved: the plan.
        among: the ids of the runs that are asked for.
    """
    left = (FileState.UNTRAINED, FileState.WAITING)
    return [
        run
        for run, how in wanted_files(resolved)
        if run in among and conversion_status.state_of(root, run, how) in left
    ]


def make_files(spec: JobSpec) -> None:
    """Make the files of a job, in its worker. If the sweep is stopped, no further file begins.

    If no file can be made of a network, or if the file gives wrong answers, the reason is recorded.
    Any other failure is printed, and the next sweep tries the run again.

    Raises:
        DiskFull: there is no room for the results.
    """
    for file in spec.files:
        if layout.stop_file(spec.root).exists():
            return
        state = conversion_status.state_of(spec.root, file.run.id, file.calibration)
        if state == FileState.WAITING:
            _make_file(spec, file)


def unmade(root: Path, wanted: Sequence[Wanted]) -> list[str]:
    """Problems as sentences: files that the next sweep tries again, and wrong files."""
    waiting = [conversion_status.state_of(root, *one) == FileState.WAITING for one in wanted]
    found = []
    if any(waiting):
        found.append(
            f"{sum(waiting)} of the files to convert could not be made; the same command tries"
            " again."
        )
    wrong = sum(_is_wrong(layout.run_folder(root, run), how) for run, how in wanted)
    if wrong:
        found.append(f"{wrong} of the converted files give wrong answers; the table says which.")
    return found


def _is_wrong(folder: Path, calibration: str | None) -> bool:
    report = conversions.read(folder, calibration)
    return report is not None and report["export"] == WrongFile.export


def _make_file(spec: JobSpec, file: FileSpec) -> None:
    """Make one file of a job."""
    folder = layout.run_folder(spec.root, file.run.id)
    request = {
        "folder": str(folder.absolute()),
        "changes": {"data.dir": spec.data_dir},
        "calibration": file.calibration,
    }
    failure = _asked(file.run.experiment, spec.policy.isolate, "convert", **request)
    if failure is None:
        return
    if not failure.export:
        say(f"{folder}: not converted; the same command tries again. {failure.message}")
        return
    say(f"{folder}: not converted. {failure.message}")
    record = records.read_record(folder)
    refused(folder, record, failure.export, failure.message, file.calibration)


def _asked(run: Experiment, isolate: bool, kind: str, **arguments: Any) -> Failure | None:
    """Send a request about a run to the worker; return the failure, or None."""
    try:
        return worker_for(run, isolate).ask(kind, Listener(), **arguments)
    except WorkerDied as error:
        return Failure(f"The worker process ended {error}.")
