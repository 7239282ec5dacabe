"""Every row of a table against one reference: differences, intervals that hold together, verdicts.

The unit is the run. Each row is compared with the reference seed by seed (`paired`), or, if this
is chosen, by Dunnett's method with seeds as blocks (`dunnett`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace

from qbench.base.errors import QbenchError
from qbench.statistics import paired
from qbench.statistics.compared import Comparison, RowComparison
from qbench.statistics.methods import DUNNETT, LEAST_OF_DUNNETT, LEVEL, PAIRED, Method
from qbench.statistics.notes import notes, too_few_for_dunnett
from qbench.statistics.paired import Paired, Seed
from qbench.statistics.verdict import (
    Verdict,
    Wording,
    of_interval,
    seeds_to_decide,
    sentence,
)

HalfWidth = Callable[[float, int, int, float], float]
"""(deviation, seeds, family, level) -> half the width of an interval."""


@dataclass(frozen=True)
class _Asked:
    """What a comparison was asked for; see `compare`."""

    reference: str
    wording: Wording
    level: float
    same: frozenset[str]
    resolution: float
    looks: int
    family: int | None = None

    def in_family(self, row: str) -> bool:
        """Whether a row may have an interval."""
        return row != self.reference and row not in self.same


def compare(
    values: Mapping[str, Mapping[Seed, float]],
    reference: str,
    *,
    margin: float,
    level: float = LEVEL,
    method: str = PAIRED,
    same: Collection[str] = (),
    higher_is_better: bool = True,
    digits: int = 2,
    unit: str = "",
    resolution: float = 0.0,
    looks: int = 1,
    family: int | None = None,
) -> Comparison:
    """Compare every row with the reference.

    Args:
        values: the value of every run, by row and seed. A row may lack seeds; only seeds that it
            has in common with the reference count.
        reference: the label of the reference, a key of `values`.
        margin: differences that are smaller do not matter; in the unit of the values.
        level: the probability that all intervals hold together.
        method: `paired` or `dunnett`.
        same: rows that compute the same as the reference. They get no interval, and the other
            intervals are not wider for them.
        higher_is_better: the direction of the values.
        digits: printed decimal places.
        unit: the unit of differences, such as `percentage points`.
        resolution: the smallest step between two values, such as 100 / images for a share of
            images in percent; 0 if values are continuous. A deviation of the differences below
            half a step cannot be measured, and counts as half a step.
        looks: if the number of seeds depends on earlier comparisons of the same rows, how many
            comparisons were planned; see `paired.corrected`.
        family: number of intervals that hold together; None for those that are made. It is larger
            if the reference was chosen by values of the same runs: then all pairs of rows count.

    Raises:
        QbenchError: `dunnett`, and fewer than 8 seeds that all rows have.
    """
    wording = Wording(margin, higher_is_better, digits, unit)
    asked = _Asked(reference, wording, level, frozenset(same), resolution, looks, family)
    of_reference = values[reference]
    found = {row: paired.pairs(own, of_reference) for row, own in values.items()}
    if method == DUNNETT:
        return _by_dunnett(asked, values, found)
    return _paired(asked, found)


def compare_differences(
    differences: Mapping[str, Mapping[Seed, float]],
    reference: str,
    *,
    margin: float,
    level: float = LEVEL,
    same: Collection[str] = (),
    higher_is_better: bool = True,
    digits: int = 2,
    unit: str = "",
    resolution: float = 0.0,
    looks: int = 1,
) -> Comparison:
    """Compare rows whose differences are known, such as rows with a reference each.

    The method is `paired`. Arguments as in `compare`, with the differences by row and seed in place
    of the values; `reference` names it in sentences and need not be a row.
    """
    wording = Wording(margin, higher_is_better, digits, unit)
    asked = _Asked(reference, wording, level, frozenset(same), resolution, looks)
    return _paired(asked, {row: paired.of_differences(own) for row, own in differences.items()})


def _paired(asked: _Asked, found: Mapping[str, Paired]) -> Comparison:
    """Intervals with a spread of each row's own."""
    floor = asked.resolution / 2
    spreads = {
        row: max(own.deviation, floor)
        for row, own in found.items()
        if asked.in_family(row) and len(own.seeds) > 1 and not own.overlap
        if max(own.deviation, floor) > 0
    }
    return _compared(asked, found, spreads, PAIRED, paired.half_width)


def _by_dunnett(
    asked: _Asked, values: Mapping[str, Mapping[Seed, float]], found: Mapping[str, Paired]
) -> Comparison:
    """Intervals with one spread, from the seeds that all rows with values have."""
    import numpy as np

    from qbench.statistics import dunnett

    family = [row for row, own in found.items() if asked.in_family(row) and own.seeds]
    rows = [asked.reference, *family]
    seeds = dunnett.common(values, rows)
    if len(seeds) < LEAST_OF_DUNNETT:
        raise QbenchError(too_few_for_dunnett(len(seeds)))
    table = np.array([[values[row][seed] for seed in seeds] for row in rows], float)
    spread = max(dunnett.deviation(table), asked.resolution / 2) if family else 0.0
    chosen = {row: {seed: values[row][seed] for seed in seeds} for row in rows}
    kept = {
        row: paired.pairs(chosen[row], chosen[asked.reference]) if row in chosen else own
        for row, own in found.items()
    }
    spreads = dict.fromkeys(family, spread) if spread > 0 else {}
    return _compared(asked, kept, spreads, DUNNETT, dunnett.half_width)


def _compared(
    asked: _Asked,
    found: Mapping[str, Paired],
    spreads: Mapping[str, float],
    method: Method,
    half_width: HalfWidth,
) -> Comparison:
    """The comparison, from the differences and the spread of each row with an interval."""
    level = paired.corrected(asked.level, asked.looks)
    family = max(len(spreads), asked.family or 0)

    def half(spread: float, seeds: int) -> float:
        return half_width(spread, seeds, family, level)

    rows = tuple(
        _with_interval(row, own, spreads[row], asked.wording, half)
        if row in spreads
        else _without_interval(row, own, asked)
        for row, own in found.items()
    )
    made = Comparison(
        asked.reference, method, asked.level, family, asked.wording, rows, (), asked.looks
    )
    return replace(made, notes=notes(made))


def _with_interval(
    row: str, own: Paired, spread: float, wording: Wording, half: Callable[[float, int], float]
) -> RowComparison:
    seeds = len(own.seeds)
    reach = half(spread, seeds)
    low, high = own.mean - reach, own.mean + reach
    verdict = of_interval(low, high, wording.margin, wording.higher_is_better)
    more = None
    if verdict is Verdict.UNDECIDED:
        more = seeds_to_decide(own.mean, wording.margin, seeds, lambda n: half(spread, n))
    said = sentence(verdict, own.mean, low, high, wording, more, own.noun)
    return RowComparison(row, *_differences(own), low, high, verdict, said, more)


def _without_interval(row: str, own: Paired, asked: _Asked) -> RowComparison:
    verdict, said = _why(row, own, asked)
    return RowComparison(row, *_differences(own), None, None, verdict, said)


def _differences(own: Paired) -> tuple[tuple[Seed, ...], tuple[float, ...], float, float]:
    return own.seeds, own.differences, own.mean, own.deviation


def _why(row: str, own: Paired, asked: _Asked) -> tuple[Verdict, str]:
    """Why a row has no interval."""
    if row == asked.reference:
        return Verdict.REFERENCE, "the reference"
    if not own.seeds:
        return Verdict.MISSING, f"has no seed in common with {asked.reference}"
    shown = asked.wording.signed(own.mean)
    if row in asked.same:
        return Verdict.SAME, f"the same by construction ({shown})"
    if own.overlap:
        return Verdict.SINGLE, f"{shown} with groups that share seeds, which gives no interval"
    if len(own.seeds) == 1:
        return Verdict.SINGLE, f"{shown} with one {own.noun}, which gives no interval"
    return Verdict.SINGLE, f"{shown} with every {own.noun}, which gives no interval"
