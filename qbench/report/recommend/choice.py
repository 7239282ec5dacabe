"""Which settings to train with, from the records of a sweep alone.

The choice sees sizes, latencies and the values on validation images. The figures of the test
images are looked up for the chosen rows afterwards, so that validation images which suit a row by
chance do not make it look better.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import nan
from statistics import fmean, stdev

from qbench.base.errors import QbenchError
from qbench.report.collect import Sweep
from qbench.report.recommend.candidates import Candidate, Candidates, candidates
from qbench.report.recommend.recommendation import (
    LATENCY,
    SIZE,
    Choice,
    Figures,
    Limits,
    Miss,
    Nearest,
    Order,
    Recommendation,
)
from qbench.statistics.best import Behind, Standing, behind_best
from qbench.statistics.comparison import compare
from qbench.statistics.methods import LEVEL
from qbench.statistics.paired import corrected
from qbench.tasks.metric import Metric

_DIGITS = 9  # of differences; beyond them equal rows differ by rounding
_ROUNDING = 1e-12  # relative; shares of images are often exactly as far apart as the margin


def recommend(sweep: Sweep, limits: Limits) -> Recommendation:
    """The rows that satisfy the limits and are not worse than the best by more than the margin.

    The mean of a recommended row is at most the margin behind the best one. A row that is shown to
    be further behind is not recommended. Neither is a row that is measured further behind while so
    few seeds do not show it; it is undecided. With few seeds hardly any row is shown to be worse,
    so without this rule the smallest row would come first even if it is far behind: in simulated
    sweeps of 16 rows with three seeds, a row that is one point behind in 84 of 100 (spread 0.5).

    Raises:
        QbenchError: there is nothing to choose by: no values on the images of the choice, or no
            latencies.
    """
    found = candidates(sweep, limits.part, limits.kernels)
    _check_latencies(sweep, found, limits)
    margin = sweep.stats.margin if limits.margin is None else limits.margin
    metric = sweep.metric
    fitting = [one for one in found.rows if not _misses(one, limits, metric)]
    if not fitting:
        nearest = _nearest(found.rows, limits, metric)
        return Recommendation(metric, limits, margin, found, None, (), (), (), nearest)
    # The lowest allowed value depends on the same values, so rows below it still take part here.
    small = [one for one in found.rows if not _misses(one, limits, metric, costs_alone=True)]
    behind = _behind(small, sweep, margin, found.images)
    best = _best(fitting, metric, limits.order)
    level = _mean(best)
    kept = [
        one for one in fitting if one is best or not _exceeds(behind[one.label].mean, margin, level)
    ]
    kept.sort(key=_order(limits.order, behind))
    rest = [behind[one.label] for one in fitting if one not in kept]
    rivals = len(fitting)
    figures = _figures(sweep, kept, best.label, limits.kernels, margin, rivals * (rivals - 1) // 2)
    choices = tuple(Choice(one, behind[one.label], figures[one.label]) for one in kept)
    return Recommendation(
        metric,
        limits,
        margin,
        found,
        best.label,
        choices,
        undecided=tuple(one for one in rest if one.standing is not Standing.BEYOND),
        worse=tuple(one for one in rest if one.standing is Standing.BEYOND),
        nearest=None,
    )


def _check_latencies(sweep: Sweep, found: Candidates, limits: Limits) -> None:
    needed = limits.latency is not None or limits.order == LATENCY
    if needed and all(one.milliseconds is None for one in found.rows):
        raise QbenchError(
            f"{sweep.folder}: no file was timed on {limits.kernels};"
            f" `qbench latency {sweep.folder}` comes first."
        )


def _misses(
    one: Candidate, limits: Limits, metric: Metric, costs_alone: bool = False
) -> list[Miss]:
    """The limits that a row exceeds; an unknown latency exceeds every limit."""
    found = []
    if limits.size is not None and one.bytes > limits.size:
        found.append(Miss("size", one.bytes, limits.size))
    if limits.latency is not None:
        milliseconds = float("inf") if one.milliseconds is None else one.milliseconds
        if milliseconds > limits.latency:
            found.append(Miss("latency", milliseconds, limits.latency))
    if limits.metric is not None and not costs_alone:
        mean = _mean(one)
        ends = (limits.metric, mean) if metric.higher_is_better else (mean, limits.metric)
        if _exceeds(*ends, mean):
            found.append(Miss("metric", mean, limits.metric))
    return found


def _nearest(rows: Sequence[Candidate], limits: Limits, metric: Metric) -> Nearest | None:
    near = [Nearest(one, tuple(_misses(one, limits, metric))) for one in rows]
    return min(near, key=lambda one: max(miss.share for miss in one.misses), default=None)


def _behind(
    rows: Sequence[Candidate], sweep: Sweep, margin: float, images: int
) -> dict[str, Behind]:
    groups: dict[str, list[str]] = {}
    for one in rows:
        if one.alike is not None:
            groups.setdefault(one.alike, []).append(one.label)
    return behind_best(
        {one.label: one.values for one in rows},
        margin=margin,
        level=corrected(LEVEL, sweep.looks),
        same=list(groups.values()),
        higher_is_better=sweep.metric.higher_is_better,
        resolution=_resolution(sweep.metric, images),
    )


def _resolution(metric: Metric, images: int) -> float:
    """The step of a share of images; 0 for other metrics."""
    return 100 / images if metric.unit == "%" and images else 0.0


def _best(rows: Sequence[Candidate], metric: Metric, order: Order) -> Candidate:
    """The row with the best mean, among the rows with the most seeds; of equals the cheapest."""
    most = max(len(one.values) for one in rows)
    sign = -1 if metric.higher_is_better else 1
    return min(
        (one for one in rows if len(one.values) == most),
        key=lambda one: (round(sign * _mean(one), _DIGITS), *_costs(one, order)),
    )


def _costs(one: Candidate, order: Order) -> tuple[float, float]:
    """Size and latency as they are shown, so that some bytes more or less decide nothing.

    The one that the order names is first.
    """
    size = float(f"{one.bytes:.3g}")
    milliseconds = float("inf") if one.milliseconds is None else one.milliseconds
    latency = float(f"{milliseconds:.2g}")
    return (size, latency) if order == SIZE else (latency, size)


def _mean(one: Candidate) -> float:
    return fmean(one.values.values())


def _exceeds(value: float, bound: float, level: float) -> bool:
    """Whether a value is above a bound by more than the rounding of means of this level, or NaN."""
    return not value <= bound + _ROUNDING * abs(level)


def _order(
    order: Order, behind: Mapping[str, Behind]
) -> Callable[[Candidate], tuple[float, float, float]]:
    """The cost that the order names; then better rows; then the other cost.

    Rows are compared by seeds that both have, since a row may lack the bad ones.
    """

    def key(one: Candidate) -> tuple[float, float, float]:
        first, last = _costs(one, order)
        return first, round(behind[one.label].mean, _DIGITS), last

    return key


def _figures(
    sweep: Sweep, rows: Sequence[Candidate], best: str, kernels: str, margin: float, pairs: int
) -> dict[str, Figures]:
    """The figures of the test images of rows that are chosen already.

    The best row was chosen by runs with the same seeds. So the intervals hold for all `pairs` of
    the rows that it was chosen from, whichever is the best.
    """
    metric = sweep.metric
    ids = {row["label"]: {run["seed"]: run["id"] for run in row["runs"]} for row in sweep.trained}
    values = {
        one.label: {
            seed: float(sweep.records[run]["metrics"][metric.name])
            for seed, run in ids[one.label].items()
            if (sweep.records.get(run) or {}).get("metrics")
        }
        for one in rows
    }
    images = min((record["data"]["test_images"] for record in sweep.finished), default=0)
    compared = compare(
        values,
        best,
        margin=margin,
        same=[one.label for one in rows if one.alike is not None and _alike(one, rows, best)],
        higher_is_better=metric.higher_is_better,
        resolution=_resolution(metric, images),
        looks=sweep.looks,
        family=pairs,
    )
    found = {}
    for one in compared.rows:
        own = list(values[one.row].values())
        of_files = _of_files(sweep, ids[one.row], kernels)
        simulated = [values[one.row][seed] for seed in of_files]
        found[one.row] = Figures(
            mean=fmean(own) if own else nan,
            deviation=stdev(own) if len(own) > 1 else None,
            seeds=len(own),
            difference=None if one.row == best or not one.seeds else one.mean,
            low=one.low,
            high=one.high,
            deployed=fmean(of_files.values()) if of_files else None,
            deployed_deviation=stdev(of_files.values()) if len(of_files) > 1 else None,
            simulated=fmean(simulated) if simulated else None,
            deployed_seeds=len(of_files),
        )
    return found


def _alike(one: Candidate, rows: Sequence[Candidate], best: str) -> bool:
    return one.label != best and any(
        other.label == best and other.alike == one.alike for other in rows
    )


def _of_files(sweep: Sweep, runs: Mapping[int, str], kernels: str) -> dict[int, float]:
    """The metric of the files on a kernel path, by seed."""
    found = {}
    for seed, run in runs.items():
        measured = sweep.exports.get(run, {}).get("kernels", {}).get(kernels, {})
        if measured.get(sweep.metric.name) is not None:
            found[seed] = float(measured[sweep.metric.name])
    return found
