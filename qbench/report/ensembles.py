"""Ensembles by their number of members: values, the best single member beside the mean, sizes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from statistics import fmean
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from qbench.planning.derived.ensemble import Ensemble
from qbench.report import values
from qbench.report.collect import Sweep
from qbench.report.comparison import cells, compared_as, run_values
from qbench.report.drawing import Drawing, fitted, legend, logarithmic, name_of
from qbench.report.figures import COLOURS
from qbench.report.tables import cell
from qbench.report.texts import Lines
from qbench.statistics.compared import Comparison
from qbench.statistics.comparison import compare_differences
from qbench.statistics.notes import ONE_SEED
from qbench.tasks.metric import Metric

NAME = "ensembles"
NOTES = "notes"
_WIDTH, _HEIGHT = 9.6, 4.4  # of the figure, in inches

Seeds = tuple[int, ...]


@dataclass(frozen=True)
class Point:
    """A row as ensembles of one number of members; the row itself for one member.

    Attributes:
        row: the label of the row whose runs are the members.
        quantized: whether the row is quantized.
        members: the number of members.
        found: the first metric of each ensemble, by the seeds of its members.
        singles: the first metric of each of its members, by the seeds of its members.
        size: theoretical size of an ensemble in MB; NaN if no record says it.
    """

    row: str
    quantized: bool
    members: int
    found: Mapping[Seeds, float]
    singles: Mapping[Seeds, Sequence[float]]
    size: float

    @property
    def gains(self) -> dict[Seeds, float]:
        """Each ensemble less the mean of its members."""
        return {seeds: value - fmean(self.singles[seeds]) for seeds, value in self.found.items()}

    def over_members(self, choice: Callable[[Sequence[float]], float]) -> float:
        """The mean over the ensembles of a value that is chosen from those of the members."""
        return fmean(choice(self.singles[seeds]) for seeds in self.found)


def points(sweep: Sweep) -> list[Point]:
    """Every row that has ensembles: row by row, by the number of members; none without values."""
    found = []
    for row in sweep.trained:
        mine = {one["derived"]["count"]: one for one in sweep.derived if _is_of(one, row)}
        by_number = {1: row, **mine} if mine else {}
        single = run_values(sweep, row, False)
        made = (_point(sweep, row, single, *pair) for pair in sorted(by_number.items()))
        found += [point for point in made if point.found]
    return found


def _point(
    sweep: Sweep,
    row: Mapping[str, Any],
    single: Mapping[Any, float],
    members: int,
    of: Mapping[str, Any],
) -> Point:
    """A row as ensembles `of` a number of members; those count whose members have values."""
    own = {_as_group(seeds): value for seeds, value in run_values(sweep, of, False).items()}
    kept = {seeds: value for seeds, value in own.items() if all(seed in single for seed in seeds)}
    singles = {seeds: [single[seed] for seed in seeds] for seeds in kept}
    return Point(row["label"], row["quantized"], members, kept, singles, _size(sweep, of))


def _as_group(seeds: Any) -> Seeds:
    return seeds if isinstance(seeds, tuple) else (seeds,)


def _is_of(derived: Mapping[str, Any], row: Mapping[str, Any]) -> bool:
    told = derived["derived"]
    return bool(told["kind"] == Ensemble.name and told["of"] == row["label"])


def _size(sweep: Sweep, row: Mapping[str, Any]) -> float:
    records = [sweep.records.get(run["id"]) for run in row["runs"]]
    sizes = [record["size"]["megabytes"] for record in records if record and record["size"]]
    return float(sizes[0]) if sizes else float("nan")


def frame(sweep: Sweep, found: Sequence[Point]) -> pd.DataFrame:
    """One line for each point; `attrs[NOTES]` says what belongs to its intervals."""
    name, better = sweep.metric.name, max if sweep.metric.higher_is_better else min
    compared = _gains(sweep, found)
    lines = []
    for number, point in enumerate(found):
        own = list(point.found.values())
        line = {"configuration": point.row, "members": point.members, "ensembles": len(own)}
        line |= {name: fmean(own), f"{name}_lowest": min(own), f"{name}_highest": max(own)}
        line |= {
            "mean_member": point.over_members(fmean),
            "best_member": point.over_members(better),
        }
        line |= cells(compared, str(number)) | {"size_mb": point.size}
        lines.append(line)
    made = pd.DataFrame(lines)
    made.attrs[NOTES] = [note for note in compared.notes if note != ONE_SEED]
    return made


def _gains(sweep: Sweep, found: Sequence[Point]) -> Comparison:
    """What ensembles have over their members; a single run is no ensemble."""
    gains = {str(k): point.gains for k, point in enumerate(found) if point.members > 1}
    of = "the mean of its members"
    return compare_differences(gains, of, looks=sweep.looks, **compared_as(sweep))


def as_lines(made: pd.DataFrame, metric: Metric) -> Lines:
    """The lines as texts."""
    unit = metric.unit
    heads = ["configuration", "members", "ensembles", metric.heading, "lowest to highest"]
    heads += [f"{what} {unit}".rstrip() for what in ("mean member", "best member")]
    heads += ["gain", "95 % interval", "verdict", "size MB"]
    lines = [heads]
    for _, line in made.iterrows():
        ends = [metric.show(line[f"{metric.name}_{end}"]) for end in ("lowest", "highest")]
        lines.append(
            [
                *(str(line[key]) for key in ("configuration", "members", "ensembles")),
                metric.show(line[metric.name]),
                " to ".join(ends) if line["ensembles"] > 1 else "-",
                *(metric.show(line[key]) for key in ("mean_member", "best_member")),
                values.difference(metric, line["difference"]),
                *(cell(key, line[key]) for key in ("interval", "verdict", "size_mb")),
            ]
        )
    return lines


def title(metric: Metric) -> str:
    """The heading of table and figure."""
    return f"{values.capital(metric.label)} by number of members"


def explained(made: pd.DataFrame) -> str:
    """What the columns mean."""
    said = [
        "An ensemble of K combines K runs of a row that differ in their seeds; with 1 member it is"
        " the row itself. Values are means over the ensembles. The mean and the best member are"
        " those of the same K runs. The best of K, chosen by the test images, is what a paper gives"
        " that repeats a run K times and keeps the best; it is no ensemble. The gain is the"
        " ensemble less the mean of its members. Ensembles that share seeds are not independent, so"
        " their gain has no interval. The size is that of all members."
    ]
    return " ".join([*said, *made.attrs[NOTES]])


def figure(found: Sequence[Point], metric: Metric, remarks: list[str]) -> list[Drawing]:
    """Values against the number of members, and against the total size."""
    return [Drawing(title(metric), NAME, partial(_draw, found, metric), remarks)]


def _draw(found: Sequence[Point], metric: Metric) -> Figure:
    drawn = Figure(figsize=(_WIDTH, _HEIGHT), layout="constrained")
    left, right = drawn.subplots(1, 2, sharey=True)
    entries = []
    for (label, colour), own in _by_row(found):
        heights = [fmean(point.found.values()) for point in own]
        means = {"color": colour, "markersize": 4}  # smaller than the spread of most dots
        (line,) = left.plot([point.members for point in own], heights, "o-", **means)
        entries.append((name_of(label), line))
        right.plot([point.size for point in own], heights, "o-", **means)
        _draws(left, own, colour)
        better = max if metric.higher_is_better else min
        best = [point.over_members(better) for point in own]
        left.plot([point.members for point in own], best, ":", color=colour, linewidth=1.2)
    (dotted,) = left.plot([], [], ":", color="grey", linewidth=1.2)
    entries.append(("best single run of K", dotted))
    left.set(xlabel="members (small dots: single ensembles)")
    left.set_xticks(sorted({point.members for point in found}))
    left.set_ylabel(fitted(values.axis(metric), _HEIGHT))
    right.set(xlabel="size of all members, MB", xscale="log")
    logarithmic(right.xaxis, [point.size for point in found])
    for axes in (left, right):
        axes.grid(alpha=0.25, linewidth=0.5)
        axes.spines[["top", "right"]].set_visible(False)
    legend(drawn, entries, loc="outside right center", frameon=False, fontsize="x-small")
    drawn.suptitle(fitted(title(metric), _WIDTH), fontsize="medium")
    return drawn


def _by_row(found: Sequence[Point]) -> Iterable[tuple[tuple[str, str], list[Point]]]:
    """The points of each row, with its label and its colour; black is for float rows."""
    number = 0
    for label in dict.fromkeys(point.row for point in found):
        own = [point for point in found if point.row == label]
        colour = COLOURS[number % len(COLOURS)] if own[0].quantized else "black"
        number += own[0].quantized
        yield (label, colour), own


def _draws(axes: Axes, own: Sequence[Point], colour: str) -> None:
    """A dot for each ensemble, in front of their mean."""
    for point in own:
        places = [point.members] * len(point.found)
        heights = list(point.found.values())
        dots = axes.scatter(places, heights, s=8, alpha=0.6, color=colour, zorder=3)
        dots.set(edgecolors="white", linewidths=0.4)
