"""What a reader of intervals needs to know."""

from __future__ import annotations

from qbench.statistics.compared import Comparison, RowComparison
from qbench.statistics.methods import DUNNETT, FEW, LEAST_OF_DUNNETT, PAIRED
from qbench.statistics.verdict import Verdict

DUNNETT_WARNING = (
    "Blocked Dunnett assumes that all rows are equally noisy. If one or two rows or the reference"
    " are three to five times noisier than the others, up to 38 % of all tables without any effect"
    " show one, instead of 5 % (docs/statistics-methods.md)."
)

FEW_SEEDS = (
    f"With fewer than {FEW} seeds intervals are wide, so the table shows only large effects; a row"
    " that is undecided may still matter."
)
ONE_SEED = (
    "One seed gives no interval: single runs differ by chance, so small differences between rows"
    " mean nothing. Take 5 seeds or more."
)
LOOKS = (
    "The results decide how many seeds there are: the rows were to be compared up to {} times."
    " Intervals are wider for this (Bonferroni), so that those of all times hold together with"
    " this probability."
)


def too_few_for_dunnett(seeds: int) -> str:
    """The error of a choice of `dunnett` with too few seeds."""
    return (
        f"stats.method={DUNNETT} is not allowed with {seeds} seeds that all rows have: expected"
        f" {LEAST_OF_DUNNETT} or more, or stats.method={PAIRED}."
    )


def notes(made: Comparison) -> tuple[str, ...]:
    """What a reader of the intervals needs to know."""
    said = []
    if made.family:
        together = f"all {made.family} of them" if made.family > 1 else "it"
        how = "Dunnett, seeds as blocks" if made.method == DUNNETT else "paired by seed, Bonferroni"
        said.append(
            f"Differences are to {made.reference}, of runs of the same seed. Intervals"
            f" ({how}) hold for {together} with {100 * made.level:g} % probability."
        )
        said += [LOOKS.format(made.looks)] if made.looks > 1 else []
    if made.method == DUNNETT:
        said.append(DUNNETT_WARNING)
    if made.few:
        said.append(FEW_SEEDS)
    said += [_incomplete(made)] if _incomplete(made) else []
    single = [one for one in _of_seeds(made) if one.verdict is Verdict.SINGLE]
    if any(len(one.seeds) == 1 for one in single):
        said.append(ONE_SEED)
    return tuple(said)


def _incomplete(made: Comparison) -> str:
    """Which rows have fewer seeds in common with the reference than others."""
    compared = [one for one in _of_seeds(made) if one.row != made.reference and one.seeds]
    most = max((len(one.seeds) for one in compared), default=0)
    fewer = [f"{one.row} ({len(one.seeds)})" for one in compared if len(one.seeds) < most]
    if not fewer:
        return ""
    return f"Only pairs count: of {most} seeds, these rows have fewer: {', '.join(fewer)}."


def _of_seeds(made: Comparison) -> list[RowComparison]:
    """The rows whose pairs are of single seeds, as those of ensembles are not."""
    return [one for one in made.rows if not any(isinstance(seed, tuple) for seed in one.seeds)]
