"""Runs a planned sweep: unfinished runs go to the launcher."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from qbench.base.errors import DiskFull, QbenchError
from qbench.base.files import prepare_folder
from qbench.engine import by_seed, exporting, imagenet, run_record
from qbench.engine.asking import Listener, WorkerDied
from qbench.engine.by_seed import Undecided
from qbench.engine.cleaning import clean, manifests
from qbench.engine.client import Ended
from qbench.engine.derived import evaluate_derived
from qbench.engine.first_stage import FirstStage
from qbench.engine.inputs import inputs_of
from qbench.engine.job_files import cleared, write
from qbench.engine.layer_check import reading_layers
from qbench.engine.manifest import Table, manifest
from qbench.engine.pixel_check import reading_pixels
from qbench.engine.progress import SweepProgress, say
from qbench.engine.resolve import ResolvedPlan, jobs_to_do, resolve
from qbench.engine.spec import JobSpec
from qbench.engine.workers import worker_for
from qbench.planning.plan import Plan
from qbench.planning.settings import Settings
from qbench.storage import aside, layout, records
from qbench.storage.decisions import Decisions
from qbench.storage.manifests import trained_in, write_manifest
from qbench.storage.store import Store

Launch = Callable[[list[Path], Path], list[Ended]]
"""A function that runs jobs.

It gets the absolute paths of the job files, and a folder for the launcher's own files. It returns
how each job ended, in the same order."""


@dataclass(frozen=True)
class Outcome:
    """The result of a sweep.

    Attributes:
        folder: the folder of the manifest and of the report.
        incomplete: sentences about everything that is not complete.
    """

    folder: Path
    incomplete: list[str]


def run_sweep(
    plan: Plan, launch: Launch, command: str = "", undecided: Undecided | None = None
) -> Outcome:
    """Run all runs of the plan that are not finished, or as many seeds as its settings ask for.

    Args:
        plan: the plan.
        launch: the function that runs jobs.
        command: the command that runs it, for the manifest.
        undecided: says which rows of the table are undecided, for `stop_when=decided`.

    Raises:
        QbenchError: the folder or the data cannot be used, or no file can hold any scheme whose
            runs are to be converted; no run was trained. Or its first stage decides nothing.
        DiskFull: a disk was full; finished results are kept.
    """
    settings = plan.settings
    if settings.deploy.enabled:
        exporting.refuse_schemes([run.experiment for run in plan.runs])
    root = settings.root
    prepare_folder(root, "out")
    folder = root if settings.out else root / plan.name
    prepare_folder(layout.figures_folder(folder), "out")
    time = by_seed.budget_of(settings, root, folder)
    worker = partial(worker_for, settings.base, settings.engine.isolate)
    inputs = inputs_of(plan, imagenet.of_worker(worker))
    device = device_kind(settings)
    stage = FirstStage(root, folder, device, inputs, launch)
    plan = stage.decided(plan, _check_models)
    resolved = resolve(plan, device, inputs)
    Store(root, say).forget_failures()
    table = Table(root, folder, command)
    sweep = _Sweep(root, folder, launch)
    if settings.stopping.by_seed:
        resolved = by_seed.run(resolved, table, sweep.carry_out, undecided, time)
    else:
        write_manifest(folder, manifest(resolved, table, by_seed.carried(resolved, root)))
        sweep.carry_out(resolved)
    stage.forget()
    return Outcome(folder, [*_incomplete(resolved, root, folder), *sweep.unconverted])


class _Sweep:
    """A sweep in progress, all of it or some of its seeds at a time.

    Attributes:
        unconverted: sentences about the files that could not be made so far.
    """

    def __init__(self, root: Path, folder: Path, launch: Launch) -> None:
        """See `run_sweep`; `root` holds `runs/`, `folder` is that of the table."""
        self._root = root
        self._folder = folder
        self._launch = launch
        self._checked = False
        self.unconverted: list[str] = []

    def carry_out(self, resolved: ResolvedPlan) -> bool:
        """Do all that is left of a plan; returns false if a failure stopped it (`fail_fast`)."""
        plan, root = resolved.plan, self._root
        wanted = exporting.wanted_files(resolved)
        files = exporting.files_to_make(root, wanted)
        batches = jobs_to_do(resolved, root, Store(root, say), files)
        if not plan.settings.stopping.by_seed:
            _say_what(resolved, batches, self._folder)
        if not self._checked and any(job.segments or job.runs for one in batches for job in one):
            self._check(plan)
        goes_on = not batches or _carry_out(resolved, batches, root, self._folder, self._launch)
        evaluate_derived(resolved, root)
        _tidy(root, plan.settings.engine.keep_trunks)
        self.unconverted = exporting.unmade(root, wanted)
        return goes_on

    def _check(self, plan: Plan) -> None:
        """Before the first training, check the networks and say which cannot be converted."""
        _check_models(plan)
        if plan.settings.deploy.enabled:
            experiments = [run.experiment for run in plan.runs]
            exporting.try_conversions(experiments, plan.settings.engine.isolate)
        self._checked = True


def _say_what(resolved: ResolvedPlan, batches: list[list[JobSpec]], folder: Path) -> None:
    """Print what a sweep consists of and what is left to do."""
    plan = resolved.plan
    to_do = [job for batch in batches for job in batch if job.runs]
    say(
        f"{plan.settings.study}, {plan.settings.design.name}: {len(plan.rows)} configurations,"
        f" {len(plan.runs)} runs, {len(to_do)} to do; {_of_derived(resolved)}results in {folder}"
    )


def _of_derived(resolved: ResolvedPlan) -> str:
    """The number of derived runs as a part of a sentence; empty if there are none."""
    count = len(resolved.derived)
    return f"{count} derived; " if count else ""


def _incomplete(resolved: ResolvedPlan, root: Path, folder: Path) -> list[str]:
    """One sentence about the runs that did not end well; empty if all runs ended well."""
    names = dict.fromkeys([*resolved.ids, *(one.id for one in resolved.derived)])
    statuses = [_status(root, name) for name in names]
    bad = [status for status in statuses if status != "ok"]
    if not bad:
        return []
    return [
        f"{len(bad)} of {len(statuses)} runs did not end well"
        f" ({', '.join(sorted(set(bad)))}); see {folder / layout.RUNS_TABLE}."
    ]


def device_kind(settings: Settings) -> str:
    """The kind of device that results will depend on; `auto` starts a worker here to find it."""
    engine = settings.engine
    if engine.device != "auto":
        return engine.device.upper()
    try:
        return worker_for(settings.base, engine.isolate).device["kind"]
    except WorkerDied as error:
        raise QbenchError(f"the worker process cannot start: it ended {error}.") from error


def _carry_out(
    resolved: ResolvedPlan,
    batches: list[list[JobSpec]],
    root: Path,
    folder: Path,
    launch: Launch,
) -> bool:
    """Give the batches to the launcher; returns false if a failure stopped them."""
    settings = resolved.plan.settings
    labels = {run.id: job.label for batch in batches for job in batch for run in job.runs}
    reports = [report for batch in batches for job in batch for report in job.reports]
    for name in labels:
        records.discard_failed(root, name)
    with SweepProgress(root, labels, reports), cleared(root, batches):
        for batch in batches:
            _record_lost(root, batch, launch(write(root, batch), folder))
            if not settings.engine.keep_trunks:
                clean(root)
            if settings.engine.fail_fast and layout.stop_file(root).exists():
                return False
    return True


def _tidy(root: Path, keep_trunks: bool) -> None:
    """If every run is trained, remove the files that killed sweeps left."""
    every = {run for manifest in manifests(root) for run in trained_in(manifest)}
    if all(records.finished(root, run) for run in every):
        shutil.rmtree(layout.jobs_folder(root), ignore_errors=True)
        for store in (Store(root, say), Decisions(root, say)):
            store.drop_abandoned_locks()
        aside.sweep_up(layout.folders_of_results(root))
        if not keep_trunks:
            clean(root)


def _record_lost(root: Path, batch: list[JobSpec], ends: list[Ended]) -> None:
    """Write a record for every run whose job ended without one; raises DiskFull."""
    for end in ends:
        if end.how == "full":
            raise DiskFull(end.message)
    for job, end in zip(batch, ends, strict=True):
        error = {"message": end.message or "its job left no record"}
        machine = {"kind": job.device, "name": job.device}
        for run in job.runs:
            if end.how != "stopped" and records.existing_record(root, run.id) is None:
                run_record.write_failure(
                    root, run.experiment, run.id, job.data, machine, error, job.code
                )


def _check_models(plan: Plan) -> None:
    """Before training, build every different network once and check that qbench can train it."""
    worker = worker_for(plan.settings.base, plan.settings.engine.isolate)
    experiments = [run.experiment for run in plan.runs]
    more = {"pixels": reading_pixels(experiments), "layers": reading_layers(experiments)}
    try:
        failure = worker.ask("check", Listener(), models=plan.networks)
        for kind, chosen in more.items():
            if chosen and not failure:
                configs = [experiment.as_config() for experiment in chosen]
                failure = worker.ask(kind, Listener(), experiments=configs)
    except WorkerDied as error:
        raise QbenchError(f"model: the worker process that built it ended {error}.") from error
    if failure:
        raise QbenchError(failure.message)


def _status(root: Path, run: str) -> str:
    record = records.existing_record(root, run)
    return str(record["status"]) if record else "missing"
