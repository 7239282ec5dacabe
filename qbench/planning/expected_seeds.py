"""How many seeds a budget is expected to give."""

from __future__ import annotations

from functools import partial
from time import monotonic
from typing import Any

from qbench.planning.budget import (
    Budget,
    Work,
    duration,
    elapsed,
    measured,
    pace,
    seeds_that_fit,
)
from qbench.planning.plan import Plan

Facts = dict[str, Any]


def expected_seeds(plan: Plan, workers: int, step_seconds: float | None) -> Facts | None:
    """How many seeds a sweep is expected to do; None if it does all seeds together.

    Args:
        plan: the plan with the most seeds.
        workers: number of jobs at once.
        step_seconds: seconds of one step; None to take those of the study's jobs and seeds.

    Returns:
        `most` seeds; `budget` in seconds; `seed_seconds` of the last seed, and the number of
        `seeds` that the budget is expected to give, each None if it is unknown; the number of
        `looks`; `files_counted`, whether the seconds are also those of the files.
    """
    settings = plan.settings
    stopping, most = settings.stopping, len(settings.seeds)
    if not stopping.by_seed:
        return None
    folder = settings.root if settings.out else settings.root / plan.name
    done = [] if step_seconds is not None else measured(folder, workers)
    time = Budget(None, monotonic, workers, partial(pace, settings.root, step_seconds), done)
    first, last = (_work(plan.with_seeds([settings.seeds[at]]), workers) for at in (0, -1))
    begin, seconds = time.expected(first), time.expected(last)
    budget = stopping.seconds
    fit = None
    if budget is not None and begin is not None and seconds is not None:
        fit = seeds_that_fit(budget, begin, seconds, most)
    return {
        "most": most,
        "budget": budget,
        "seed_seconds": None if seconds is None else round(seconds, 1),
        "seeds": fit,
        "looks": stopping.looks(most) if stopping.stop_when else 0,
        "files_counted": bool(done) or not first.files,
    }


def _work(plan: Plan, workers: int) -> Work:
    """The work of the seeds of a plan."""
    files = len(plan.deployed)
    if plan.settings.deploy.calibration:
        files += sum(not plan.runs[number].experiment.quant.enabled for number in plan.deployed)
    return Work(elapsed(plan, plan.runs, workers), len(plan.runs), files)


def in_words(facts: Facts) -> str:
    """The result of `expected_seeds` in a sentence."""
    line = f"seed by seed, at most {facts['most']} seeds"
    if facts["looks"]:
        line += f", with {facts['looks']} looks whether a row is undecided"
    if facts["budget"] is None:
        return line
    line += f"; the budget of {duration(facts['budget'])}"
    if facts["seeds"] is None:
        return f"{line} gives as many as the first one will tell (--step-seconds S estimates it)"
    besides = "" if facts["files_counted"] else ", conversion not counted"
    each = duration(facts["seed_seconds"])
    return f"{line} gives about {facts['seeds']}, at about {each} each{besides}"
