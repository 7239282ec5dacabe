"""Tables of sweeps that are done seed by seed: each row has the same seeds."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from qbench.statistics.methods import LEVEL
from qbench.statistics.paired import with_more_looks

Manifest = dict[str, Any]

_ENDS = {
    "budget": ", as many as fit into the budget",
    "decided": ", with which no row is undecided",
    "stopped": "; a failure ended it",
    "nothing to compare with": "; the row that the others are compared with has no values",
    None: "; it has not ended",
}


def balanced(manifest: Manifest, recorded: Collection[str]) -> tuple[Manifest, tuple[int, ...]]:
    """The manifest without the seeds that are begun and not complete, and these seeds.

    A run is there if it has a record, even if it failed. Without a complete seed, and for a sweep
    that is not done seed by seed, the manifest stays as it is.

    Args:
        manifest: the manifest of the sweep.
        recorded: the ids of the runs with a record.
    """
    if "most" not in manifest.get("by_seed", {}):
        return manifest, ()
    there = set(recorded)
    left_out = {
        run["seed"]
        for row in manifest["rows"]
        if "derived" not in row
        for run in row["runs"]
        if run["id"] not in there
    }
    seeds = [seed for seed in manifest["seeds"] if seed not in left_out]
    if not seeds or not left_out:
        return manifest, ()
    rows = [_without(row, left_out) for row in manifest["rows"]]
    kept = [row for row in rows if row["runs"] or "derived" not in row]
    return manifest | {"seeds": seeds, "rows": kept}, tuple(sorted(left_out))


def _without(row: Mapping[str, Any], seeds: Collection[int]) -> dict[str, Any]:
    """A row without the runs of some seeds, or with one of them among their members."""
    runs = [
        run
        for run in row["runs"]
        if not any(seed in seeds for seed in run.get("seeds", [run["seed"]]))
    ]
    return {**row, "runs": runs}


def sentences(manifest: Mapping[str, Any], left_out: Collection[int]) -> list[str]:
    """How many seeds a sweep that is done seed by seed has, and why; empty for other sweeps.

    Args:
        manifest: the balanced manifest.
        left_out: the seeds that it was balanced from.
    """
    told, said_of_looks = manifest.get("by_seed", {}), raised(manifest)
    if "most" not in told:
        return said_of_looks
    end = _ENDS.get(told.get("ended"), "")
    said = [f"Done seed by seed: {len(manifest['seeds'])} of at most {told['most']} seeds{end}."]
    if left_out:
        which = ", ".join(map(str, left_out))
        said.append(
            f"Begun but not complete, so left out: seed{'s' * (len(left_out) > 1)} {which}."
        )
    return [*said, *said_of_looks]


def raised(manifest: Mapping[str, Any]) -> list[str]:
    """How sure the intervals are if more looks were added after looking; empty if not."""
    stages = manifest.get("by_seed", {}).get("stages")
    return [_raised(stages)] if stages else []


def _raised(stages: Sequence[int]) -> str:
    numbers = ", then ".join(map(str, stages))
    least = 100 * with_more_looks(LEVEL, stages)
    return (
        f"The rows were to be compared up to {numbers} times, raised after looking: intervals of"
        f" all times hold together with at least {least:.3g} % probability, not {100 * LEVEL:g} %."
    )
