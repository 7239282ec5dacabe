"""Every row of a table against one of them: in simulation, and as converted files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite, nan
from pathlib import Path
from statistics import fmean
from typing import Any

from qbench.base.errors import QbenchError
from qbench.report.collect import Sweep, collect
from qbench.report.deployed import PATH
from qbench.report.rows import repeats_a_row
from qbench.report.values import capital, unit_of_differences
from qbench.statistics.compared import Comparison
from qbench.statistics.comparison import compare
from qbench.statistics.methods import DUNNETT, PAIRED
from qbench.statistics.paired import Seed
from qbench.statistics.verdict import Verdict, seeds_in_words
from qbench.tasks.metric import Metric

_CLEAR = (
    *(Verdict.BETTER, Verdict.WORSE),
    *(Verdict.BETTER_BELOW_MARGIN, Verdict.WORSE_BELOW_MARGIN),
)
_IN_FULL = 3  # undecided rows with a sentence each


@dataclass(frozen=True)
class Comparisons:
    """The comparisons of a sweep, each with a family of its own.

    Attributes:
        simulated: of the first metric in simulation; None if the table has no rows.
        deployed: of the first metric of the converted files; None if none was measured.
        notes: sentences about the comparisons, besides their own notes.
    """

    simulated: Comparison | None
    deployed: Comparison | None
    notes: tuple[str, ...] = ()


def comparisons(sweep: Sweep) -> Comparisons:
    """Compare all rows of a sweep, as its settings say."""
    has_files = any(_value(sweep, run, True) is not None for run in sweep.exports)
    notes: list[str] = []
    return Comparisons(
        _compared(sweep, False, notes),
        _compared(sweep, True, notes) if has_files else None,
        tuple(dict.fromkeys(notes)),
    )


def undecided(folder: Path) -> list[str] | None:
    """The rows of a sweep's folder that its table does not decide with the seeds that are there.

    They are those of the first metric in simulation that are undecided, or have only one value.
    Rows without any value do not count: more seeds would not help. None if the reference has none,
    so that no row can be compared.
    """
    made = comparisons(collect(folder)).simulated
    if made is None or not made.row(made.reference).seeds:
        return None
    rows = made.rows
    return [
        one.row
        for one in rows
        if one.verdict is Verdict.UNDECIDED
        or (one.verdict is Verdict.SINGLE and len(one.seeds) == 1 and not _is_group(one.seeds[0]))
    ]


def _is_group(seed: Seed) -> bool:
    """Whether a value is of a derived run, such as an ensemble, and so of several seeds."""
    return isinstance(seed, tuple)


def run_values(sweep: Sweep, row: Mapping[str, Any], deployed: bool) -> dict[Seed, float]:
    """The first metric of a row's runs, by seed; of a derived row by the seeds of its members.

    Args:
        sweep: the sweep.
        row: a row of its manifest.
        deployed: whether the values are those of the converted files, on XNNPACK.
    """
    found = {}
    for run in row["runs"]:
        one = _value(sweep, run["id"], deployed)
        if one is not None and isfinite(one):
            found[tuple(run["seeds"]) if "seeds" in run else run["seed"]] = float(one)
    return found


def _value(sweep: Sweep, run: str, deployed: bool) -> float | None:
    if deployed:
        measured = sweep.exports[run].get("kernels", {}) if run in sweep.exports else {}
    else:
        measured = {PATH: sweep.records[run]["metrics"] or {}} if run in sweep.records else {}
    value: float | None = measured.get(PATH, {}).get(sweep.metric.name)
    return value


def _result(sweep: Sweep, run: str, deployed: bool) -> str | None:
    """A hash of the weights or of the file; equal hashes mean equal results."""
    hashes, name = (sweep.exports, "sha256") if deployed else (sweep.records, "weights_sha256")
    return hashes[run].get(name) if run in hashes else None


def compared_as(sweep: Sweep) -> dict[str, Any]:
    """Margin, direction, digits, unit and resolution of differences of the first metric."""
    metric = sweep.metric
    return {
        "margin": sweep.stats.margin,
        "higher_is_better": metric.higher_is_better,
        "digits": metric.digits,
        "unit": unit_of_differences(metric),
        "resolution": _resolution(sweep, metric),
    }


def _resolution(sweep: Sweep, metric: Metric) -> float:
    """The step of a share of the test images; 0 for other metrics."""
    images = [record["data"]["test_images"] for record in sweep.finished]
    return 100 / min(images) if metric.unit == "%" and images else 0.0


def _compared(sweep: Sweep, deployed: bool, notes: list[str]) -> Comparison | None:
    """The comparison of one kind of values; sentences about it are added to the notes."""
    found = {
        row["label"]: {} if repeats_a_row(row) else run_values(sweep, row, deployed)
        for row in sweep.manifest["rows"]
    }
    rows = {row["label"]: row for row in sweep.trained if row["reason"] is None}
    reference = sweep.stats.reference_among(list(rows))
    if reference is None:
        return None
    same = [
        label
        for label, row in rows.items()
        if label != reference and _same(sweep, row, rows[reference], deployed)
    ]
    options = compared_as(sweep) | {"same": same, "looks": sweep.looks}
    if sweep.stats.method == DUNNETT:
        trained = {label: found[label] for label in rows}
        try:
            return compare(trained, reference, method=DUNNETT, **options)
        except QbenchError as error:
            notes.append(f"{error} So the intervals are those of stats.method={PAIRED}.")
    _add_means(found[reference], found)
    return compare(found, reference, **options)


def _add_means(reference: dict[Seed, float], found: Mapping[str, Mapping[Seed, float]]) -> None:
    """A derived run is compared with the mean of the reference over the seeds of its members."""
    groups = {seed for own in found.values() for seed in own if _is_group(seed)}
    for group in groups:
        if all(seed in reference for seed in group):
            reference.setdefault(group, fmean(reference[seed] for seed in group))


def _same(
    sweep: Sweep, row: Mapping[str, Any], reference: Mapping[str, Any], deployed: bool
) -> bool:
    """Whether a row computes the same as the reference, by its settings or by all its results."""
    if row.get("alike") is not None and row.get("alike") == reference.get("alike"):
        return True
    mine, theirs = (run_values(sweep, one, deployed) for one in (row, reference))
    runs = [{run["seed"]: run["id"] for run in one["runs"]} for one in (row, reference)]
    common = [seed for seed in mine if seed in theirs]
    return bool(common) and all(
        mine[seed] == theirs[seed]
        and _equal(*(_result(sweep, one[seed], deployed) for one in runs))
        for seed in common
    )


def _equal(one: str | None, other: str | None) -> bool:
    return one is not None and one == other


def cells(made: Comparison | None, label: str) -> dict[str, Any]:
    """The cells of a row: `difference`, its deviation and bounds, `verdict`, and `interval`.

    `interval` is the bounds as a text for readers, which CSV files leave out.
    """
    one = made.by_label.get(label) if made else None
    if made is None or one is None or not one.seeds:
        return EMPTY
    found = {**EMPTY, "verdict": one.verdict.value}
    if one.verdict is Verdict.REFERENCE:
        return found
    found |= {"difference": one.mean, "difference_std": one.deviation}
    if one.low is not None and one.high is not None:
        found |= {"difference_low": one.low, "difference_high": one.high}
        found["interval"] = made.wording.interval(one.low, one.high)
    return found


EMPTY: dict[str, Any] = {
    "difference": nan,
    "difference_std": nan,
    "difference_low": nan,
    "difference_high": nan,
    "interval": "",
    "verdict": None,
}
"""The cells of a row without a comparison, by the names of their columns."""


def sentences(made: Comparisons) -> list[str]:
    """Verdicts in words, rows that are alike in one sentence, and what to know about them."""
    said = _of_one(made.simulated)
    of_files = [line for line in _of_one(made.deployed) if line not in said]
    return [*said, *(f"Converted files: {line}" for line in of_files), *made.notes]


def _of_one(made: Comparison | None) -> list[str]:
    if made is None or len(made.rows) < 2:
        return []
    if not made.row(made.reference).seeds:
        return [f"{made.reference} has no values, so no row is compared with it."]
    lines = [f"{one.row}: {one.sentence}." for one in made.rows if one.verdict in _CLEAR]
    return [*lines, *_equivalent(made), *_undecided(made), *_alike(made), *made.notes]


def _labels(made: Comparison, verdict: Verdict) -> list[str]:
    return [one.row for one in made.rows if one.verdict is verdict]


def _equivalent(made: Comparison) -> list[str]:
    labels = _labels(made, Verdict.EQUIVALENT)
    if not labels:
        return []
    within = f"to {made.reference} within {made.wording.shown_margin}"
    if len(labels) == made.family and len(labels) > 1:
        return [f"All {len(labels)} rows are equivalent {within}."]
    return [f"Equivalent {within}: {', '.join(labels)}."]


def _undecided(made: Comparison) -> list[str]:
    """A sentence for each row; one for all of them if they are many."""
    found = [one for one in made.rows if one.verdict is Verdict.UNDECIDED]
    rows = [one for one in found if not isinstance(one.seeds[0], tuple)]
    of_groups = [f"{one.row}: {one.sentence}." for one in found if one not in rows]
    if len(rows) <= _IN_FULL:
        return [*(f"{one.row}: {one.sentence}." for one in rows), *of_groups]
    needed = [one.seeds_to_decide for one in rows if one.seeds_to_decide]
    least = max(low for low, _ in needed)
    most = [high for _, high in needed if high is not None]
    seeds = seeds_in_words((least, max(most) if len(most) == len(needed) else None))
    return [
        f"Undecided against {made.reference}: {', '.join(one.row for one in rows)}."
        f" {capital(seeds)} would decide all of them at their present spreads.",
        *of_groups,
    ]


def _alike(made: Comparison) -> list[str]:
    labels = _labels(made, Verdict.SAME)
    if not labels:
        return []
    return [
        f"The same as {made.reference} by construction, so without interval: {', '.join(labels)}."
    ]
