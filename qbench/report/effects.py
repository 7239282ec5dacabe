"""Effects of the factors of a crossed design, on the first metric."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from qbench.base.errors import QbenchError
from qbench.planning.crossed import Crossed, crossed
from qbench.report import values
from qbench.report.collect import Sweep
from qbench.report.comparison import compared_as, run_values
from qbench.report.texts import Lines, counted
from qbench.statistics import aliases, factorial
from qbench.statistics.aliases import Cell
from qbench.statistics.factorial import Effect, Effects
from qbench.statistics.methods import FEW, LEVEL
from qbench.statistics.notes import LOOKS
from qbench.statistics.paired import Seed, corrected
from qbench.statistics.verdict import Verdict, Wording, of_interval
from qbench.tasks.metric import Metric

NOT_SHOWN = "not shown by these runs"
_MOST = 30  # lines of a table
_HEAD = ["effect", "change", "interval", "pooled interval", "verdict"]

_OF_INTERACTIONS = {
    Verdict.BETTER: "interaction",
    Verdict.WORSE: "interaction",
    Verdict.BETTER_BELOW_MARGIN: "interaction, below margin",
    Verdict.WORSE_BELOW_MARGIN: "interaction, below margin",
    Verdict.EQUIVALENT: "none above margin",
}

Values = dict[Cell, dict[Seed, float]]


@dataclass(frozen=True)
class Analysis:
    """The effects of a sweep's factors.

    Attributes:
        design: its rows as combinations.
        metric: the metric of the values.
        wording: margin, direction, digits and unit of differences.
        values: the value of every run, by combination and seed.
        effects: the effects; None if `refused` says why there are none.
        refused: a sentence, or empty.
        fraction: whether the rows are a fraction of all combinations by design.
        looks: see `Sweep.looks`.
    """

    design: Crossed
    metric: Metric
    wording: Wording
    values: Values
    effects: Effects | None
    refused: str
    fraction: bool
    looks: int = 1


def analyse(sweep: Sweep) -> Analysis | None:
    """The effects of a sweep's factors; None if its rows do not cross factors, or have no values.

    Derived rows and rows of other settings than the factors, such as float rows, do not count.
    """
    told, rows = sweep.manifest["design"], sweep.trained
    design = crossed(told["levels"], [row["changes"] for row in rows])
    found: Values = {}
    for cell, row in zip(design.cells, rows, strict=True):
        if cell is not None:
            found.setdefault(cell, run_values(sweep, row, deployed=False))
    if not design.has_crossings or not any(found.values()):
        return None
    asked = compared_as(sweep)
    resolution = asked.pop("resolution")
    effects, refused = None, ""
    try:
        counts = [len(own) for own in design.levels.values()]
        level = corrected(LEVEL, sweep.looks)
        effects = factorial.effects(counts, found, level=level, resolution=resolution)
    except QbenchError as error:
        refused = str(error)
    fraction = "resolution" in told
    wording = Wording(**asked)
    return Analysis(design, sweep.metric, wording, found, effects, refused, fraction, sweep.looks)


def title(metric: Metric) -> str:
    """The heading of the effects."""
    return f"Effects of the factors on {metric.label}"


def name_of(effect: Effect, design: Crossed) -> str:
    """An effect by its levels, `quant.bits=4 x train.learning_rate=0.05`."""
    names = design.names
    return " x ".join(f"{names[f]}={design.levels[names[f]][level]}" for f, level in effect.parts)


def verdict(effect: Effect, wording: Wording) -> str:
    """What the interval of an effect says, in words for a table."""
    if effect.estimate is None:
        return NOT_SHOWN
    if effect.low is None or effect.high is None:
        return Verdict.SINGLE.value
    said = of_interval(effect.low, effect.high, wording.margin, wording.higher_is_better)
    return said.value if len(effect.parts) == 1 else _OF_INTERACTIONS.get(said, said.value)


def frame(found: Analysis) -> pd.DataFrame:
    """One line for each effect.

    Returns:
        Columns `effect`; `estimate`, `deviation` (over the seeds), `low` and `high` (from this
        deviation), `ols_low` and `ols_high` (from the residuals of least squares), all in the unit
        of differences of the metric; `verdict`; `mixed_with`, the effects that the design cannot
        tell from this one; `n_seeds`; then `seed_<number>`, the effect of each seed alone. Cells
        without a value are NaN.
    """
    columns = ["effect", "estimate", "deviation", "low", "high", "ols_low", "ols_high"]
    columns += ["verdict", "mixed_with", "n_seeds"]
    if found.effects is None:
        return pd.DataFrame(columns=columns)
    seeds = found.effects.seeds
    lines = []
    for one in found.effects.effects:
        pooled = one.pooled or (None, None)
        line = [name_of(one, found.design), one.estimate, one.deviation, one.low, one.high, *pooled]
        line += [verdict(one, found.wording), _mixed(one, found.design), len(seeds)]
        lines.append([*line, *(one.by_seed or [None] * len(seeds))])
    return pd.DataFrame(lines, columns=[*columns, *(f"seed_{seed}" for seed in seeds)])


def _mixed(effect: Effect, design: Crossed) -> str:
    written = ((sign, aliases.written(term, design.names)) for sign, term in effect.aliases)
    return ", ".join(f"{'-' if sign < 0 else ''}{name}" for sign, name in written)


def tables(found: Analysis) -> list[tuple[str, Lines]]:
    """Main effects, interactions and the alias table of a fraction, as texts."""
    if found.effects is None:
        return []
    shown = []
    seeds = len(found.effects.seeds)
    over = f"{counted(seeds, 'seed')}{', which gives no intervals' if seeds == 1 else ''}"
    for heading, size in ((f"Main effects ({over})", 1), ("Interactions of two factors", 2)):
        every = [one for one in found.effects.effects if len(one.parts) == size]
        if lines := [_line(one, found) for one in _largest(every)]:
            shown.append((heading, [_HEAD, *lines]))
    if found.fraction:
        groups = aliases.table(found.design.combinations, found.design.names)
        split = [line.partition(" = ") for line in groups]
        aliased = [[first, others or "-"] for first, _, others in split]
        shown.append(("Aliases", [["effect", "mixed with"], *aliased]))
    return shown


def _largest(effects: Sequence[Effect]) -> list[Effect]:
    """Those with the largest estimates, in their order; all, if a table has room for them."""
    sizes = [abs(one.estimate or 0.0) for one in effects]
    kept = sorted(range(len(effects)), key=lambda index: -sizes[index])[:_MOST]
    return [effects[index] for index in sorted(kept)]


def _line(effect: Effect, found: Analysis) -> list[str]:
    wording = found.wording
    change = "-" if effect.estimate is None else wording.signed(effect.estimate)
    own = "-"
    if effect.low is not None and effect.high is not None:
        own = wording.interval(effect.low, effect.high)
    pooled = wording.interval(*effect.pooled) if effect.pooled else "-"
    return [name_of(effect, found.design), change, own, pooled, verdict(effect, wording)]


def explained(found: Analysis) -> str:
    """Sentences about the values in the tables."""
    if found.effects is None:
        return found.refused
    defaults = ", ".join(f"{key}={own[0]}" for key, own in found.design.levels.items())
    parts = [
        f"What another level changes, in {found.wording.unit}{values.direction(found.metric)},"
        f" against {defaults}. One factor: the mean over all combinations of the others. Two"
        " factors (x): how much the one changes the difference that the other makes."
    ]
    return " ".join([*parts, *notes(found, found.effects)])


def notes(found: Analysis, effects: Effects) -> list[str]:
    """What a reader of the intervals needs to know."""
    said = []
    seeds = len(effects.seeds)
    if seeds > 1:
        together = f"all {effects.family} effects" if effects.family > 1 else "the effect"
        said.append(
            "Least squares with seeds as blocks. Intervals hold for"
            f" {together} with {100 * LEVEL:g} % probability (Bonferroni). They come from"
            f" the spread of each effect over {seeds} seeds. Pooled intervals come from the"
            " residuals of all runs; they are too narrow where runs share noisy float steps, so no"
            " verdict comes from them."
        )
        said += [LOOKS.format(found.looks)] if found.looks > 1 else []
    if seeds == 1:
        said.append("One seed gives no interval: what looks like an effect may be chance.")
    elif seeds < FEW:
        said.append(f"With fewer than {FEW} seeds intervals are wide and show only large effects.")
    if effects.left_out:
        left = ", ".join(map(str, effects.left_out))
        said.append(f"Left out, because combinations lack a value: seed {left}.")
    if effects.lacking:
        said.append(
            f"{counted(len(effects.lacking), 'combination')} of"
            f" {effects.combinations + len(effects.lacking)} without values; effects that need them"
            f" are {NOT_SHOWN}."
        )
    for kind, size in (("main effects", 1), ("interactions", 2)):
        count = sum(len(one.parts) == size for one in effects.effects)
        if count > _MOST:
            said.append(
                f"Of the {count} {kind} the tables have the {_MOST} with the largest changes;"
                " effects.csv has all."
            )
    if found.fraction:
        said.append("An estimate is the sum of all effects that the design mixes with it.")
    return said
