"""The cost of a sweep: its segment tree, shared and unshared steps, time and disk."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from qbench.planning import fractions
from qbench.planning.budget import duration
from qbench.planning.crossed import crossed
from qbench.planning.expected_seeds import expected_seeds, in_words
from qbench.planning.first_stage import at_steps, is_undecided, with_known
from qbench.planning.plan import UNIT, Plan
from qbench.planning.segments import Segment, Tree, batches, makespan
from qbench.statistics.aliases import table
from qbench.storage import layout, records

ALIASES = (
    "aliases (the runs show only the sum of the effects in a line; interactions of three or more"
    " factors are left out):"
)
_MANY = 60  # the text shows at most this many lines of a list


def print_forecast(plan: Plan, workers: int, step_seconds: float | None, as_json: bool) -> None:
    """Print the plan; see `forecast`."""
    facts = forecast(plan, workers, step_seconds)
    print(json.dumps(facts, indent=2) if as_json else "\n".join(_text(plan, facts)))


def forecast(plan: Plan, workers: int, step_seconds: float | None) -> dict[str, Any]:
    """The numbers of the plan, as plain data.

    Args:
        plan: the plan.
        workers: number of jobs that run at the same time.
        step_seconds: seconds of one step. None: they are read from the study's records, if any.

    Returns:
        `runs`, `derived` (runs that are computed from other runs, without steps) and
        `not_applicable` (rows), `aliases` (the lines of a fraction's alias table), `segments` of
        the tree (steps and users), `conversions` (the `seeds` and the number of `runs` that are
        converted, and how many of them also `after_training`; None if files are not wanted),
        `steps_unshared`, `steps_shared`, `ratio` (shared / unshared), `batches` (number of jobs in
        each), `steps_elapsed` (steps from start to end on the workers, with a barrier between
        batches), `critical_path` (steps), `by_seed` (see `expected_seeds`), and `seconds` and
        `disk_bytes`, which are None if they are unknown. With `train.steps=auto` also `decided`
        (the number of steps, with the rows that have it) or, until it is known, `first_stage` (see
        `qbench.planning.fractions`, which says what is None until then).
    """
    plan = with_known(plan)
    if not is_undecided(plan):
        facts, _ = _forecast(plan, workers, step_seconds)
        return facts | _decided(plan)
    facts, tree = _forecast(at_steps(plan, UNIT), workers, step_seconds)
    stage = fractions.first_stage(plan, workers, facts["step_seconds"])
    return fractions.with_fractions(facts, plan, tree) | {"first_stage": stage}


def _decided(plan: Plan) -> dict[str, Any]:
    """The number of steps that a first stage decided, if one did."""
    one = plan.decided
    return {"decided": {"id": one.id, "steps": one.steps, "rows": list(one.rows)}} if one else {}


def _forecast(plan: Plan, workers: int, step_seconds: float | None) -> tuple[dict[str, Any], Tree]:
    """The forecast of a plan with known numbers of steps, and the segments of its runs."""
    tree = Tree([plan.phases(run, None) for run in plan.runs], _apart(plan))
    jobs = batches(tree)
    known = _measured(plan.settings.root)
    seconds = step_seconds if step_seconds is not None else known.get("step_seconds")
    elapsed = makespan(jobs, workers)
    unshared = sum(run.experiment.train.number_of_steps for run in plan.runs)
    kept = sum(segment.uses > 1 for segment in tree.segments)
    facts = {
        "study": plan.settings.study,
        "design": plan.settings.design.name,
        **_rows(plan),
        "aliases": _aliases(plan),
        "conversions": _conversions(plan),
        "segments": [_segment(segment) for segment in tree.segments],
        "steps_unshared": unshared,
        "steps_shared": tree.steps_shared,
        "ratio": round(tree.steps_shared / unshared, 4) if unshared else 1.0,
        "workers": workers,
        "batches": [len(batch) for batch in jobs],
        "steps_elapsed": elapsed,
        "critical_path": tree.critical_path,
        "by_seed": expected_seeds(plan, workers, step_seconds),
        "step_seconds": seconds,
        "seconds": None if seconds is None else round(seconds * elapsed, 1),
        "disk_bytes": known["state_bytes"] * kept if "state_bytes" in known else None,
    }
    return facts, tree


def _rows(plan: Plan) -> dict[str, list[dict[str, Any]]]:
    """Runs that train, runs that are computed from others, and rows that cannot be run."""
    return {
        "runs": [
            {
                "label": run.label,
                "row": run.row,
                "seed": run.experiment.seed,
                "steps_float": run.experiment.quantization_start,
                "steps_quantized": run.experiment.train.number_of_steps
                - run.experiment.quantization_start,
            }
            for run in plan.runs
        ],
        "derived": [
            {"label": run.label, "row": row.label, "kind": row.kind, "seeds": run.seeds}
            for row in plan.derived
            for run in row.runs
        ],
        "not_applicable": [
            {"label": row.label, "reason": row.reason} for row in plan.rows if row.reason
        ],
    }


def _aliases(plan: Plan) -> list[str]:
    """The lines of the alias table; none if the design is no fraction."""
    if plan.settings.design.resolution is None:
        return []
    found = crossed(plan.levels, [row.changes for row in plan.rows])
    return table(found.combinations, found.names)


def _conversions(plan: Plan) -> dict[str, Any] | None:
    """Which runs are converted; None if none is."""
    settings = plan.settings
    if not settings.deploy.enabled:
        return None
    floats = [not plan.runs[number].experiment.quant.enabled for number in plan.deployed]
    after = sum(floats) if settings.deploy.calibration else 0
    return {"seeds": settings.deployed_seeds, "runs": len(floats), "after_training": after}


def _apart(plan: Plan) -> list[str] | None:
    """A different name for each run if sharing is off, so that no runs share steps; else None."""
    if plan.settings.engine.share:
        return None
    return [str(number) for number in range(len(plan.runs))]


def _segment(segment: Segment) -> dict[str, Any]:
    return {
        "id": segment.id,
        "parent": segment.parent.id if segment.parent else None,
        "phase": segment.phase,
        "first": segment.first,
        "end": segment.end,
        "uses": segment.uses,
        "runs": segment.runs,
    }


def _measured(root: Path) -> dict[str, float]:
    """The seconds of a step and the bytes of a state, from the study's records on disk."""
    seconds: list[float] = []
    values = 0
    for path in layout.record_files(root)[:200]:
        try:
            record = json.loads(path.read_bytes())
            trained = record["schema"] == records.SCHEMA and "derived" not in record
            if trained and record["status"] == "ok":
                seconds += record["step_seconds"].values()
                values = max(values, record["size"]["values"])
        except (ValueError, KeyError, TypeError, AttributeError):
            continue  # this is only an estimate; other commands report damaged records
    measured: dict[str, float] = {"step_seconds": statistics.median(seconds)} if seconds else {}
    if values:
        measured["state_bytes"] = 8 * values  # weights and one optimizer slot, float32
    return measured


def _text(plan: Plan, facts: dict[str, Any]) -> Iterator[str]:
    """The forecast for people."""
    yield f"{'#':>4}  {'configuration':<44} {'seed':>6} {'float':>9} {'quantized':>9}"
    lines = [
        f"{number:>4}  {run['row']:<44} {run['seed']:>6} {_steps(run)}"
        for number, run in enumerate(facts["runs"], 1)
    ]
    lines += [
        f"{number:>4}  {run['row']:<44} {','.join(map(str, run['seeds'])):>6} {0:>9} {0:>9}"
        for number, run in enumerate(facts["derived"], len(facts["runs"]) + 1)
    ]
    lines += [
        f"{'-':>4}  {row['label']:<44} not_applicable: {row['reason']}"
        for row in facts["not_applicable"]
    ]
    yield from _cut(lines)
    if facts["aliases"]:
        yield ""
        yield ALIASES
        yield from (f"  {line}" for line in facts["aliases"])
    yield ""
    yield "segments (steps, in how many runs):"
    yield from _cut(_tree_lines(facts))
    yield ""
    derived = f", {len(facts['derived'])} derived runs" if facts["derived"] else ""
    yield (
        f"{facts['study']}, {facts['design']}: {len(plan.rows)} configurations,"
        f" {len(facts['runs'])} runs{derived}{_total(facts)}"
    )
    known = facts["steps_elapsed"] is not None
    yield f"on {facts['workers']} worker(s), in batches of {facts['batches']} jobs" + (
        f": {facts['steps_elapsed']:,} steps from start to end (longest run:"
        f" {facts['critical_path']:,})"
        if known
        else ""
    )
    yield from fractions.in_words(facts)
    if facts["conversions"]:
        yield _conversions_line(facts["conversions"], len(plan.settings.seeds))
    if facts["by_seed"]:
        yield in_words(facts["by_seed"])
    if facts["seconds"] is not None:
        yield f"about {duration(facts['seconds'])} at {facts['step_seconds']:.4f} s a step"
    if facts["disk_bytes"] is not None:
        yield f"about {facts['disk_bytes'] / 1e6:,.1f} MB of shared states at most"


def _steps(run: dict[str, Any]) -> str:
    """The float and quantized steps of a run, or their fractions, as two cells."""
    start = run.get("quantized_from", 0.0)
    floats = fractions.cell(run["steps_float"], start)
    return f"{floats:>9} {fractions.cell(run['steps_quantized'], 1 - start):>9}"


def _total(facts: dict[str, Any]) -> str:
    """The steps of a plan, as far as they are known."""
    if facts["steps_shared"] is not None:
        return (
            f", {facts['steps_unshared']:,} steps; {facts['steps_shared']:,} shared, ratio"
            f" {facts['ratio']:.3f}"
        )
    return "" if facts["ratio"] is None else f"; shared steps, ratio {facts['ratio']:.3f}"


def _conversions_line(facts: dict[str, Any], seeds: int) -> str:
    """Which runs are converted, in a sentence."""
    first = len(facts["seeds"])
    count = f" {first}" if first > 1 else ""
    which = "all seeds" if first == seeds else f"the first{count} of {seeds} seeds of each row"
    after = facts["after_training"]
    also = f", {after} of them also quantized after training" if after else ""
    return f"files of {facts['runs']} runs ({which}){also}"


def _cut(lines: list[str]) -> Iterator[str]:
    yield from lines[:_MANY]
    if len(lines) > _MANY:
        yield f"      ... and {len(lines) - _MANY:,} more (--json has all)"


def _tree_lines(facts: dict[str, Any]) -> list[str]:
    """The tree as lines; each phase is indented below the branch where it begins."""
    labels = [run["label"] for run in facts["runs"]]
    depth: dict[str | None, int] = {None: 0}
    phase: dict[str | None, str] = {None: ""}
    width = max([9, *(len(segment["phase"]) for segment in facts["segments"])])
    lines = []
    for segment in facts["segments"]:
        parent = segment["parent"]
        goes_on = phase[parent] == segment["phase"]
        depth[segment["id"]] = depth[parent] if goes_on else depth[parent] + 1
        phase[segment["id"]] = segment["phase"]
        parts = segment.get("fractions", (0.0, 0.0))
        first, end = (
            fractions.cell(segment[name], part)
            for name, part in zip(("first", "end"), parts, strict=True)
        )
        ends = ", ".join(labels[run] for run in segment["runs"][:3])
        more = f" and {len(segment['runs']) - 3} more" if len(segment["runs"]) > 3 else ""
        lines.append(
            f"{'  ' * depth[segment['id']]}{segment['phase']:<{width}}"
            f" {first:>9} to {end:>9}"
            f"  x{segment['uses']:<4} {ends}{more}".rstrip()
        )
    return lines
