"""The forecast of a plan whose number of steps is not known: fractions in place of steps."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from qbench.config.train import AUTO
from qbench.planning.budget import duration, elapsed
from qbench.planning.first_stage import at_steps, trial_of
from qbench.planning.plan import UNIT, Plan
from qbench.planning.segments import Tree

Facts = dict[str, Any]

_TOTALS = ("steps_unshared", "steps_shared", "ratio", "steps_elapsed", "critical_path")
_DIGITS = 6


def with_fractions(facts: Mapping[str, Any], plan: Plan, tree: Tree) -> Facts:
    """The facts of a forecast that was made with UNIT, with fractions in place of its steps.

    Steps that depend on the unknown number are None. `quantized_from` of a run and `fractions` of a
    segment (its first and its last step) are fractions of the number. The ratio is known if all
    runs wait for the number.

    Args:
        facts: the facts.
        plan: the plan, with rows whose number is unknown.
        tree: the segments of its runs with UNIT.
    """
    unknown = [run.experiment.train.is_undecided for run in plan.runs]
    runs = [_run(run) if open_ else run for run, open_ in zip(facts["runs"], unknown, strict=True)]
    segments = [
        _segment(told) if unknown[next(iter(tree.users(segment)))] else told
        for told, segment in zip(facts["segments"], tree.segments, strict=True)
    ]
    totals = {**dict.fromkeys(_TOTALS), "ratio": facts["ratio"] if all(unknown) else None}
    return {**facts, "runs": runs, "segments": segments, **totals, "by_seed": None, "seconds": None}


def first_stage(plan: Plan, workers: int, step_seconds: float | None) -> Facts:
    """What is known of the first stage of a plan and of the sweep after it.

    Args:
        plan: the plan.
        workers: number of jobs at once.
        step_seconds: seconds of a step; None if they are unknown.

    Returns:
        `most` steps of the float training and its `seed`, the `rows` that it decides, the one with
        this float training first, at most how many steps and seconds there are from start to end,
        the first stage among them, and whether the sweep goes `by_seed`.
    """
    most, trial = plan.settings.auto.auto_most, trial_of(plan, None)
    longest = at_steps(plan, most)
    steps = most + elapsed(longest, longest.runs, workers)
    return {
        "most": most,
        "seed": trial.experiment.seed,
        "rows": list(trial.rows),
        "steps_elapsed_at_most": steps,
        "by_seed": plan.settings.stopping.by_seed,
        "seconds_at_most": None if step_seconds is None else round(step_seconds * steps, 1),
    }


def in_words(facts: Mapping[str, Any]) -> Iterator[str]:
    """What a forecast says of a number of steps that is or was `auto`, in sentences."""
    one = facts.get("decided")
    if one:
        yield (
            f"train.steps={AUTO}: {one['steps']:,} steps for {_named(one['rows'])}, by decision"
            f" {one['id']}"
        )
    stage = facts.get("first_stage")
    if stage:
        yield (
            f"train.steps={AUTO}: fractions are of a number of steps that a first stage decides,"
            f" by the float network of {stage['rows'][0]} with seed {stage['seed']} in at most"
            f" {stage['most']:,} steps; at most {stage['steps_elapsed_at_most']:,} steps from start"
            " to end with it"
        )
        if stage["seconds_at_most"] is not None:
            at_most = duration(stage["seconds_at_most"])
            yield f"that is at most about {at_most} at {facts['step_seconds']:.4f} s a step"
        if stage["by_seed"]:
            yield "seed by seed after the first stage, whose time is part of a budget"


def cell(steps: int | None, fraction: float) -> str:
    """A number of steps for people, or its fraction."""
    return f"{fraction:.4g}" if steps is None else f"{steps:,}"


def _named(rows: list[str]) -> str:
    return rows[0] if len(rows) == 1 else f"{rows[0]} and {len(rows) - 1} more"


def _run(told: Mapping[str, Any]) -> Facts:
    start = round(told["steps_float"] / UNIT, _DIGITS)
    return {**told, "steps_float": None, "steps_quantized": None, "quantized_from": start}


def _segment(told: Mapping[str, Any]) -> Facts:
    ends = [round(told[name] / UNIT, _DIGITS) for name in ("first", "end")]
    return {**told, "first": None, "end": None, "fractions": ends}
