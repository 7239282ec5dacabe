"""Does a sweep seed by seed: as many seeds as its budget allows, or until every row is decided.

All rows of one seed come before the next seed, so the table is balanced whenever the sweep ends.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from qbench.engine import looks
from qbench.engine.exporting import files_left
from qbench.engine.looks import Looks
from qbench.engine.manifest import Table, manifest
from qbench.engine.progress import say
from qbench.engine.resolve import ResolvedPlan
from qbench.engine.workers import jobs_at_once
from qbench.planning.budget import Budget, Work, duration, elapsed, measured, pace
from qbench.planning.execution import FIRST_LOOK
from qbench.planning.settings import Settings
from qbench.storage import layout, records
from qbench.storage.manifests import read_manifest, write_manifest

Undecided = Callable[[Path], Sequence[str] | None]
"""A function of a sweep's folder that returns the labels of the rows that no interval decides yet.

It compares the rows as the sweep's table does, see `qbench.report.comparison.undecided`; None if
there is nothing to compare them with."""

BUDGET, DECIDED, ALL, STOPPED = "budget", "decided", "all seeds", "stopped"
NOTHING = "nothing to compare with"


Facts = dict[str, Any]
"""The entry `by_seed` of a manifest.

`looks` says for how many comparisons the intervals of the table are wide enough. If more were added
after looking, `stages` has each of these numbers; `looked` identifies the tables that were looked
at. The others are only there if the sweep is done seed by seed: `most` seeds, how it `ended` (null
while it goes on), and the `measured` seconds of seeds, with this number of `workers`."""


def budget_of(settings: Settings, root: Path, folder: Path) -> Budget:
    """The time that a command has from now on; see `Budget`."""
    workers = jobs_at_once(settings.engine)
    return Budget(
        settings.stopping.seconds,
        time.monotonic,
        workers,
        partial(pace, root),
        measured(folder, workers),
    )


def run(
    resolved: ResolvedPlan,
    table: Table,
    carry_out: Callable[[ResolvedPlan], bool],
    undecided: Undecided | None,
    budget: Budget,
) -> ResolvedPlan:
    """Do a sweep seed by seed.

    Args:
        resolved: the plan with the most seeds.
        table: the table of the sweep.
        carry_out: does all that is left of a plan; returns false if a failure stopped it.
        undecided: says which rows are undecided, for `stop_when`.
        budget: the time that is left.

    Returns:
        The plan with the seeds that are done.

    Raises:
        QbenchError: the folder holds the table of another sweep.
    """
    settings, root, folder = resolved.plan.settings, table.root, table.folder
    left = partial(_left, resolved, root, jobs_at_once(settings.engine))
    told = _told(folder)
    listed = told["seeds"] if "most" in told.get("by_seed", {}) else []
    begun = [s for s in settings.seeds if s in listed or _is_begun(resolved, root, s)]
    planned = [*resolved.ids, *(one.id for one in resolved.derived)]
    counted = looks_of(resolved, root)

    def write(seeds: Sequence[int], ended: str | None = None) -> None:
        shown = resolved.with_seeds({*seeds, *begun})
        facts = _facts(settings, counted, budget, ended)
        write_manifest(folder, manifest(shown, table, facts), planned)

    def part(seeds: tuple[int, ...]) -> bool:
        write(seeds)
        return carry_out(resolved.with_seeds(seeds))

    def look() -> Sequence[str] | None:
        counted.look(_compared(resolved, root))
        return undecided(folder) if undecided else ()

    looking = settings.stopping.stop_when and undecided
    parts = Parts(settings.seeds, left, part, look if looking else None)
    say(
        f"{settings.study}, {settings.design.name}: {len(resolved.plan.rows)} configurations, seed"
        f" by seed, at most {len(settings.seeds)} seeds; results in {folder}"
    )
    ended = seed_by_seed(parts, budget)
    write(ended.seeds, ended.why)
    return resolved.with_seeds(ended.seeds)


def _is_begun(resolved: ResolvedPlan, root: Path, seed: int) -> bool:
    """Whether a run of a seed has ended, in any way."""
    return any(
        (layout.run_folder(root, name) / layout.RECORD).is_file()
        for name, run in zip(resolved.ids, resolved.plan.runs, strict=True)
        if run.experiment.seed == seed
    )


def _compared(resolved: ResolvedPlan, root: Path) -> list[str]:
    """The finished runs that the table compares: those of seeds of which every run has ended."""
    names: dict[int, list[str]] = {}
    for name, run in zip(resolved.ids, resolved.plan.runs, strict=True):
        names.setdefault(run.experiment.seed, []).append(name)
    ended = [
        own
        for own in names.values()
        if all((layout.run_folder(root, name) / layout.RECORD).is_file() for name in own)
    ]
    return [name for own in ended for name in own if records.finished(root, name)]


def _left(resolved: ResolvedPlan, root: Path, workers: int, seed: int) -> Work:
    """What is left to do of a seed."""
    mine = {
        name: run
        for name, run in zip(resolved.ids, resolved.plan.runs, strict=True)
        if run.experiment.seed == seed
    }
    runs = [run for name, run in mine.items() if not records.finished(root, name)]
    files = files_left(root, resolved, mine)
    return Work(elapsed(resolved.plan, runs, workers), len(runs), len(files))


def _facts(settings: Settings, looks: Looks, budget: Budget, ended: str | None) -> Facts:
    return {
        "most": len(settings.seeds),
        **looks.facts(),
        "ended": ended,
        "workers": jobs_at_once(settings.engine),
        "measured": [one.as_config() for one in budget.measured],
    }


def looks_of(resolved: ResolvedPlan, root: Path) -> Looks:
    """The looks of a sweep: those that it plans, and those of earlier commands.

    Seeds whose number was chosen by results stay so, whatever the next command says.
    """
    found = looks.of(root, resolved.ids)
    found.plan(resolved.plan.settings.stopping, len(resolved.plan.settings.seeds))
    return found


def carried(resolved: ResolvedPlan, root: Path) -> Facts | None:
    """What the table of a sweep that is not done seed by seed keeps of earlier commands' looks."""
    found = looks_of(resolved, root)
    return found.facts() if found.stages else None


def _told(folder: Path) -> dict[str, Any]:
    """The manifest of a folder; empty if there is none."""
    return read_manifest(folder) if (folder / layout.MANIFEST).is_file() else {}


@dataclass(frozen=True)
class Ended:
    """How a sweep ended that was done seed by seed.

    Attributes:
        seeds: the seeds that are done, in the order of the settings.
        why: BUDGET, DECIDED, ALL, STOPPED after a failure with `fail_fast`, or NOTHING to compare
            the rows with.
    """

    seeds: tuple[int, ...]
    why: str


@dataclass(frozen=True)
class Parts:
    """What a sweep consists of, for `seed_by_seed`.

    Attributes:
        seeds: the most seeds, in their order.
        left: what is left to do of a seed.
        carry_out: does what is left of some seeds, which are in the order of `seeds`; returns
            whether the sweep may continue.
        undecided: the labels of the rows that are undecided with the seeds that are done, or None
            if there is nothing to compare with; itself None if they do not matter.
    """

    seeds: tuple[int, ...]
    left: Callable[[int], Work]
    carry_out: Callable[[tuple[int, ...]], bool]
    undecided: Callable[[], Sequence[str] | None] | None = None


def seed_by_seed(parts: Parts, budget: Budget) -> Ended:
    """Do the seeds one after the other.

    Seeds with nothing left to do come first. The next one is begun if it is expected to fit into
    the budget; the first one is always begun. A seed that was begun is done to its end.

    Args:
        parts: the sweep.
        budget: the time that the command has.
    """
    done = [seed for seed in parts.seeds if not parts.left(seed)]
    if done and not parts.carry_out(_sorted(parts, done)):
        return Ended(_sorted(parts, done), STOPPED)
    for seed in [seed for seed in parts.seeds if seed not in done]:
        if why := _looked(parts, done):
            return Ended(_sorted(parts, done), why)
        work = parts.left(seed)
        if done and not budget.allows(work):
            _say_full(budget, work, seed)
            return Ended(_sorted(parts, done), BUDGET)
        _say_begun(budget, work, seed)
        done.append(seed)
        together = _sorted(parts, done)
        if not budget.timed(work, partial(parts.carry_out, together)):
            return Ended(together, STOPPED)
    return Ended(parts.seeds, _looked(parts, done) or ALL)


def _sorted(parts: Parts, done: Sequence[int]) -> tuple[int, ...]:
    return tuple(seed for seed in parts.seeds if seed in done)


def _looked(parts: Parts, done: Sequence[int]) -> str | None:
    """Why the sweep ends, if it does: no row is undecided, or none can be compared.

    With too few seeds that is not asked.
    """
    if parts.undecided is None or len(done) < FIRST_LOOK:
        return None
    rows = parts.undecided()
    if rows is None:
        say(
            f"stop_when=decided: after {len(done)} seeds the row that the others are compared with"
            " has no values, so more seeds decide nothing; stats.reference chooses another row."
        )
        return NOTHING
    if rows:
        more = f" and {len(rows) - 3} more" if len(rows) > 3 else ""
        say(f"{len(done)} seeds: undecided are {', '.join(rows[:3])}{more}.")
    return None if rows else DECIDED


def _say_begun(budget: Budget, work: Work, seed: int) -> None:
    expected = budget.expected(work)
    about = f", about {duration(expected)}" if expected else ""
    left = f", {duration(budget.left)} left" if budget.is_limited else ""
    runs = "1 run" if work.runs == 1 else f"{work.runs} runs"
    files = f" and {work.files} files to make" if work.files else ""
    say(f"seed {seed}: {runs} to train{files}{about}{left}")


def _say_full(budget: Budget, work: Work, seed: int) -> None:
    say(
        f"seed {seed} is not begun: it takes about {duration(budget.expected(work) or 0)},"
        f" {duration(max(0.0, budget.left))} of the budget are left. The same command goes on with"
        " it, with a budget of its own."
    )
