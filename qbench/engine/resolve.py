"""Turns a plan into a resolved plan: ids, the segment tree, jobs for a launcher."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from qbench.config.experiment import Experiment
from qbench.data.source import Reading, reading_of
from qbench.engine import run_record
from qbench.engine.inputs import Inputs, inputs_of, unstarted
from qbench.engine.progress import say
from qbench.engine.spec import FileSpec, JobSpec, RunSpec, SegmentSpec
from qbench.planning.code import hashes_of
from qbench.planning.derived import DerivedRow, DerivedRun
from qbench.planning.plan import Plan, Run
from qbench.planning.segments import Job, Tree, batches
from qbench.storage import records
from qbench.storage.store import Store

Item = TypeVar("Item")


@dataclass(frozen=True)
class ResolvedDerived:
    """A derived run with its id.

    Attributes:
        id: the id of the run.
        row: its row.
        run: the run in the plan.
        members: the numbers of its members among the runs of the plan.
    """

    id: str
    row: DerivedRow
    run: DerivedRun
    members: tuple[int, ...]


@dataclass(frozen=True)
class ResolvedPlan:
    """A plan with the data and the device.

    Attributes:
        plan: the plan.
        device: kind of device.
        ids: the id of each run of the plan, in order; equal runs have equal ids.
        data: for each run, the facts about its data for its record.
        weights: for each run, the result of `imagenet.contents`.
        tree: the segments of all runs.
    """

    plan: Plan
    device: str
    ids: tuple[str, ...]
    data: tuple[dict[str, Any], ...]
    weights: tuple[dict[str, str], ...]
    tree: Tree

    def path(self, number: int) -> list[str]:
        """The ids of the segments of one run, from step 0."""
        return [segment.id for segment in self.tree.last[number].path]

    def with_seeds(self, seeds: Collection[int]) -> ResolvedPlan:
        """The plan with only some of its seeds; see `Plan.with_seeds`."""
        plan = self.plan.with_seeds(seeds)
        kept = [n for n, run in enumerate(self.plan.runs) if run.experiment.seed in seeds]
        ids = tuple(self.ids[number] for number in kept)
        facts = tuple(self.data[number] for number in kept)
        weights = tuple(self.weights[number] for number in kept)
        tree = _tree(plan, range(len(ids)), ids, (facts, weights), self.device)
        return ResolvedPlan(plan, self.device, ids, facts, weights, tree)

    @cached_property
    def derived(self) -> list[ResolvedDerived]:
        """The derived runs of the plan, in the order of its table."""
        numbers = {
            (run.row, run.experiment.seed): number for number, run in enumerate(self.plan.runs)
        }
        found = []
        for row in self.plan.derived:
            for run in row.runs:
                members = tuple(numbers[key] for key in run.members)
                name = row.run_id([self.ids[number] for number in members])
                found.append(ResolvedDerived(name, row, run, members))
        return found


def resolve(plan: Plan, device: str, inputs: Inputs | None = None) -> ResolvedPlan:
    """Compute all ids.

    Args:
        plan: the plan.
        device: kind of device.
        inputs: the result of `inputs_of` for this plan; None to load the data.

    Raises:
        QbenchError: see `inputs_of`.
    """
    found = inputs_of(plan) if inputs is None else inputs
    facts, weights = found.data, found.weights
    ids = tuple(
        run_record.run_id(run.experiment, data["hash"], device, begun)
        for run, data, begun in zip(plan.runs, facts, weights, strict=True)
    )
    tree = _tree(plan, range(len(ids)), ids, (facts, weights), device)
    return ResolvedPlan(plan, device, ids, facts, weights, tree)


def by_data(items: Iterable[Item], experiment: Callable[[Item], Experiment]) -> list[Item]:
    """Sort items so that items with the same data follow each other.

    A worker keeps only one data set, so in this order it loads each data set once. Data sets, and
    items with the same data, keep their order.

    Args:
        items: the items.
        experiment: returns the experiment of an item.
    """
    places: dict[Reading, int] = {}

    def place(item: Item) -> int:
        return places.setdefault(reading_of(experiment(item).data), len(places))

    return sorted(items, key=place)


def _tree(
    plan: Plan,
    numbers: Sequence[int],
    ids: Sequence[str],
    found: tuple[Sequence[dict[str, Any]], Sequence[dict[str, str]]],
    device: str,
) -> Tree:
    """The tree of some runs of a plan; `found` has the facts about data, and `weights`."""
    schedules = []
    for number in numbers:
        data, weights = (one[number] for one in found)
        common = run_record.common_content(data["hash"], device, weights)
        schedules.append(plan.phases(plan.runs[number], common))
    share = plan.settings.engine.share
    return Tree(schedules, None if share else [ids[number] for number in numbers])


def jobs_to_do(
    resolved: ResolvedPlan, root: Path, store: Store, files: Sequence[tuple[str, str | None]] = ()
) -> list[list[JobSpec]]:
    """The jobs for all unfinished runs and for all files, in batches; empty if nothing is to do.

    A job that trains runs also makes their files. The files of finished runs are jobs of the first
    batch.

    Args:
        resolved: the plan.
        root: holds `runs/`.
        store: the states of segments.
        files: the files to make, as run and calibration (`FileSpec`).
    """
    seen: set[str] = set()
    numbers = []
    for number, name in enumerate(resolved.ids):
        if name not in seen:
            records.set_aside_damaged(root, name, say)
        if name not in seen and not records.finished(root, name):
            numbers.append(number)
        seen.add(name)
    numbers = by_data(numbers, lambda number: resolved.plan.runs[number].experiment)
    found = resolved.data, resolved.weights
    tree = _tree(resolved.plan, numbers, resolved.ids, found, resolved.device)
    specs = [
        [_spec(resolved, root, tree, job, numbers) for job in batch if not _is_done(job, store)]
        for batch in batches(tree)
    ]
    specs = [[_with_files(job, files) for job in batch] for batch in specs if batch]
    later = {run.id for batch in specs for job in batch for run in job.runs}
    now = [_files_job(resolved, root, run, files) for run in dict(files) if run not in later]
    now = by_data(now, lambda job: job.experiment)
    first, *rest = specs or [[]]
    return [batch for batch in ([*first, *now], *rest) if batch]


def _with_files(job: JobSpec, files: Sequence[tuple[str, str | None]]) -> JobSpec:
    """A job that also makes the files of its runs; it has another name than without them."""
    runs = {run.id: run for run in job.runs}
    mine = tuple(FileSpec(runs[run], how) for run, how in files if run in runs)
    return replace(job, id=f"{job.id}-files", files=mine) if mine else job


def _files_job(
    resolved: ResolvedPlan, root: Path, name: str, files: Sequence[tuple[str, str | None]]
) -> JobSpec:
    """The job that makes the files of a finished run."""
    number = resolved.ids.index(name)
    run = RunSpec(name, resolved.plan.runs[number].experiment)
    job = replace(_unstarted(resolved, root, number), id=f"run-{name}", runs=(run,))
    return replace(_with_files(job, files), runs=())


def _is_done(job: Job, store: Store) -> bool:
    return not job.runs and all(store.has(segment.id) for segment in job.segments)


def _spec(
    resolved: ResolvedPlan, root: Path, tree: Tree, job: Job, numbers: Sequence[int]
) -> JobSpec:
    """A job as plain data. A trunk is trained with the configuration of one of its runs."""
    last = tree.last[job.runs[0]] if job.runs else job.segments[-1]
    user = job.runs[0] if job.runs else next(iter(tree.users(last)))
    run: Run = resolved.plan.runs[numbers[user]]
    own = {numbers[k]: resolved.plan.runs[numbers[k]] for k in job.runs}
    runs = tuple(
        RunSpec(resolved.ids[number], one.experiment, one.label) for number, one in own.items()
    )
    segments = tuple(
        SegmentSpec(segment.id, segment.phase, segment.first, segment.end, segment.uses > 1)
        for segment in last.path
    )
    used = [run.experiment, *(one.experiment for one in runs)]
    code = {key: value for one in used for key, value in hashes_of(one).items()}
    return replace(
        _unstarted(resolved, root, numbers[user]),
        id=f"run-{runs[0].id}" if runs else f"trunk-{last.id}",
        label=run.label if runs else f"trunk to step {last.end:,}",
        segments=segments,
        runs=runs,
        code=code | resolved.weights[numbers[user]],
    )


def _unstarted(resolved: ResolvedPlan, root: Path, number: int) -> JobSpec:
    """A job with the configuration of one run of the plan, and nothing to do."""
    run: Run = resolved.plan.runs[number]
    inputs = Inputs(resolved.data, resolved.weights)
    job = unstarted(resolved.plan.settings.engine, run.experiment, inputs, number, root)
    return replace(job, label=run.label, device=resolved.device)
