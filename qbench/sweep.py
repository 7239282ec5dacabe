"""Runs a planned sweep: what is not finished goes to the launcher, then the report is built."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from qbench import device, records, runner
from qbench.data import load
from qbench.errors import QbenchError
from qbench.experiment import Experiment
from qbench.plan import Plan
from qbench.progress import Watch, say
from qbench.report.build import build_report

Launch = Callable[[list[list[str]], str], list[Any]]


class SweepIncomplete(QbenchError):
    """Some runs of a sweep failed or diverged; the table says which."""


def run_sweep(plan: Plan, launch: Launch) -> None:
    """Run what the plan asks for and has not been run, and build the report.

    Args:
        plan: the plan.
        launch: runs jobs, each a list of overrides; a folder for the launcher's own files.

    Raises:
        QbenchError: nothing was trained: the folder or the data cannot be used.
        SweepIncomplete: a run failed or diverged; everything else is done and reported.
    """
    settings = plan.settings
    root = settings.root
    records.prepare_folder(root, "out")
    folder = root if settings.out else root / plan.name
    records.prepare_folder(folder, "out")
    device.start(settings.base.threads)
    ids = _run_ids(plan)
    records.write_manifest(folder, _manifest(plan, ids, root, folder))
    jobs = _unfinished(plan, ids, root)
    say(
        f"{settings.study}, {settings.design.name}: {len(plan.rows)} configurations,"
        f" {len(ids)} runs, {len(jobs)} to do; results in {folder}"
    )
    if jobs:
        _check_models(plan)
        with Watch(root, {name: label for name, (label, _) in jobs.items()}):
            returns = launch([overrides for _, overrides in jobs.values()], str(folder))
        _record_lost(plan, ids, root, jobs, returns)
    print(build_report(folder), flush=True)
    bad = [row for row in _statuses(plan, ids, root) if row != "ok"]
    if bad:
        raise SweepIncomplete(
            f"{len(bad)} of {len(ids)} runs did not end well"
            f" ({', '.join(sorted(set(bad)))}); see {folder / 'runs.csv'}."
        )


Ids = dict[tuple[str, int], str]


def _run_ids(plan: Plan) -> Ids:
    """The id of every run, by row and seed. Loads, and so checks, all data."""
    return {
        (row.label, experiment.seed): runner.run_id(
            experiment, load(experiment.data.name, experiment.data.dir)
        )
        for row, experiment in plan.runs
    }


def _check_models(plan: Plan) -> None:
    """Build every different model once, so that a wrong argument is known before training."""
    from qbench.data import DATASETS
    from qbench.models import build_model

    tried: list[Any] = []
    for _, experiment in plan.runs:
        if (experiment.model, experiment.data.name) not in tried:
            tried.append((experiment.model, experiment.data.name))
            source = DATASETS[experiment.data.name]
            build_model(
                experiment.model.name, experiment.model.arguments, source.shape, source.classes
            )


def _unfinished(plan: Plan, ids: Ids, root: Path) -> dict[str, tuple[str, list[str]]]:
    """Label and overrides of every run that is to be done, by id."""
    jobs: dict[str, tuple[str, list[str]]] = {}
    for row, experiment in plan.runs:
        name = ids[row.label, experiment.seed]
        if name not in jobs and not records.finished(root, name):
            records.discard_failed(root, name)
            label = row.label
            if len(plan.settings.seeds) > 1:
                label += f" seed {experiment.seed}"
            jobs[name] = (label, plan.overrides(row, experiment.seed))
    return jobs


def _record_lost(
    plan: Plan, ids: Ids, root: Path, jobs: dict[str, Any], returns: list[Any]
) -> None:
    """Give a record to every job that ended without leaving one."""
    experiments = {ids[row.label, e.seed]: e for row, e in plan.runs}
    for name, result in zip(jobs, returns, strict=True):
        if records.existing_record(root, name) is None:
            error = getattr(result, "_return_value", None)
            message = runner.summary(error) if error else "the job left no record"
            _write_failure(experiments[name], root, message)


def _write_failure(experiment: Experiment, root: Path, message: str) -> None:
    data = load(experiment.data.name, experiment.data.dir)
    record = runner.header(experiment, data, runner.run_id(experiment, data))
    record |= {"status": "failed", "error": {"message": message}}
    records.write_run(root, record["run"], config=experiment.as_config(), record=record)
    say(f"failed: {message}")


def _statuses(plan: Plan, ids: Ids, root: Path) -> list[str]:
    found = (records.existing_record(root, name) for name in dict.fromkeys(ids.values()))
    return [record["status"] if record else "missing" for record in found]


def _manifest(plan: Plan, ids: Ids, root: Path, folder: Path) -> dict[str, Any]:
    """What belongs to this sweep's table; names runs by id and holds no absolute path."""
    from qbench.factors import cells

    settings = plan.settings
    return {
        "schema": records.SCHEMA,
        "study": settings.study,
        "design": {"name": settings.design.name, "levels": plan.levels},
        "seeds": settings.seeds,
        "runs": "runs" if folder == root else "../runs",
        "rows": [
            {
                "label": row.label,
                "changes": row.changes,
                "reason": row.reason,
                "quantized": row.experiment.quant.enabled,
                "factors": cells(row.experiment),
                "runs": [
                    {"seed": seed, "id": ids[row.label, seed]}
                    for seed in settings.seeds
                    if row.reason is None
                ],
            }
            for row in plan.rows
        ],
    }
