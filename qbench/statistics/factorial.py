"""Effects of factors in crossed designs: main effects and interactions of two factors.

The model is ordinary least squares: the mean of each seed (seeds are blocks), the main effects and
the interactions of two factors. Each effect is a linear combination of its coefficients.

Intervals come in two kinds, both with Bonferroni's inequality over all effects. `low` and `high`
use the spread of the effect over the seeds: least squares for each seed alone, then Student's t.
`pooled` is the usual interval of least squares. Its one spread, that of the residuals, belongs to
every effect only if the runs of a seed are independent. Runs that share their float steps are not:
with such steps as noisy as the rest, 10 to 17 % of tables without any effect show one; if they are
three times noisier, 20 to 36 % (benchmarks/effects_coverage.py).
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import nan, sqrt

import numpy as np
from numpy.typing import NDArray

from qbench.base.errors import QbenchError
from qbench.statistics.aliases import Cell, Signed, Term, aliases, terms
from qbench.statistics.paired import Seed, half_width, quantile

LEVEL = 0.95
_TINY, _DIGITS = 1e-9, 12

Values = NDArray[np.float64]
Part = tuple[int, int]
"""A factor and one of its other levels, by index; the default level is 0."""


@dataclass(frozen=True)
class Effect:
    """What other levels change, in the unit of the values.

    Attributes:
        parts: the factors with their levels: one for a main effect, two for an interaction.
        aliases: effects that the design mixes with this one.
        estimate: for a main effect, the mean at the level minus the mean at the default level, over
            all combinations of the other factors. For an interaction, how much the second level
            changes the difference that the first level makes, and the reverse. None if the runs
            cannot show it.
        by_seed: the estimate of each seed alone; their mean is the estimate.
        deviation: the sample standard deviation of `by_seed`; NaN for one seed.
        low: lower bound of the simultaneous interval from this deviation; None with one seed, or if
            continuous values do not differ between seeds.
        high: upper bound.
        pooled: bounds of the simultaneous interval from all residuals; None with one seed, or if
            there are as many parameters as runs.
    """

    parts: tuple[Part, ...]
    aliases: tuple[Signed, ...]
    estimate: float | None
    by_seed: tuple[float, ...] = ()
    deviation: float = nan
    low: float | None = None
    high: float | None = None
    pooled: tuple[float, float] | None = None

    @property
    def term(self) -> Term:
        """The factors by index."""
        return tuple(factor for factor, _ in self.parts)


@dataclass(frozen=True)
class Effects:
    """The effects of a design.

    Attributes:
        effects: main effects, then interactions, in the order of the factors and levels. An effect
            that is mixed with an earlier one is not among them.
        seeds: the seeds that count: every combination with values has a value for them.
        left_out: other seeds.
        combinations: number of combinations with values.
        lacking: the combinations without values.
        family: number of effects whose intervals hold together.
        level: the probability that all of them hold.
        degrees: degrees of freedom of the residuals.
    """

    effects: tuple[Effect, ...]
    seeds: tuple[Seed, ...]
    left_out: tuple[Seed, ...]
    combinations: int
    lacking: tuple[Cell, ...]
    family: int
    level: float
    degrees: int

    def half_width(self, deviation: float, seeds: int) -> float:
        """Half the width of an interval for this deviation over a number of seeds."""
        return half_width(deviation, seeds, self.family, self.level)


def effects(
    levels: Sequence[int],
    values: Mapping[Cell, Mapping[Seed, float]],
    level: float = LEVEL,
    resolution: float = 0.0,
) -> Effects:
    """Estimate the effects of the factors of a design.

    Args:
        levels: number of levels of each factor, at least 2.
        values: by combination of the design and seed, the value of the run. A combination without
            values has an empty mapping.
        level: the probability that all intervals hold together.
        resolution: the smallest step between two values; 0 if they are continuous. A deviation that
            is smaller than runs half a step apart would give counts as this deviation.

    Raises:
        QbenchError: no seed has a value for every combination that has values.
    """
    cells = [cell for cell, own in values.items() if own]
    every = dict.fromkeys(seed for own in values.values() for seed in own)
    seeds = [seed for seed in every if all(seed in values[cell] for cell in cells)]
    if not seeds:
        raise QbenchError("Effects need a seed with a value for every combination that has values.")
    table = np.array([[values[cell][seed] for cell in cells] for seed in seeds], float)
    model = _Model(levels, list(values))
    weights = model.weights(cells)
    kept = [parts for parts in model.parts if weights[parts] is not None]
    spread, degrees = _residuals(table, model.matrix(cells))
    family = len(kept)
    made = Effects((), tuple(seeds), (), len(cells), (), family, level, degrees)
    asked = (Effect(parts, model.aliases_of(parts), None) for parts in model.parts)
    found = tuple(_effect(one, weights[one.parts], table, made, resolution) for one in asked)
    if degrees > 0 and len(seeds) > 1 and family:
        reach = quantile(degrees, family, level) * spread / sqrt(len(seeds))
        found = tuple(_with_pooled(one, weights[one.parts], reach) for one in found)
    left_out = tuple(seed for seed in every if seed not in seeds)
    lacking = tuple(cell for cell, own in values.items() if not own)
    return replace(made, effects=found, left_out=left_out, lacking=lacking)


def _effect(
    effect: Effect, weights: Values | None, table: Values, made: Effects, resolution: float
) -> Effect:
    """The effect with its estimates and its interval; unchanged if there are no weights."""
    if weights is None:
        return effect
    by_seed = table @ weights
    estimate = float(by_seed.mean())
    effect = replace(effect, estimate=estimate, by_seed=tuple(map(float, by_seed)))
    if len(by_seed) < 2:
        return effect
    deviation = float(by_seed.std(ddof=1))
    # The weights of a difference of two runs have the norm sqrt(2).
    least = resolution / 2 * float(np.linalg.norm(weights)) / sqrt(2)
    spread = max(deviation, least)
    if spread < _TINY:
        return replace(effect, deviation=deviation)
    reach = made.half_width(spread, len(by_seed))
    return replace(effect, deviation=deviation, low=estimate - reach, high=estimate + reach)


def _with_pooled(effect: Effect, weights: Values | None, reach: float) -> Effect:
    if weights is None or effect.estimate is None:
        return effect
    half = reach * float(np.linalg.norm(weights))
    bounds = effect.estimate - half, effect.estimate + half
    return replace(effect, pooled=bounds)


def _residuals(table: Values, matrix: Values) -> tuple[float, int]:
    """The standard deviation of the residuals, and their degrees of freedom.

    Args:
        table: the values (seeds, combinations).
        matrix: the model (combinations, coefficients) without the seeds.
    """
    apart = table - table.mean(axis=1, keepdims=True)  # seeds are blocks
    fitted = matrix @ (np.linalg.pinv(matrix) @ apart.mean(axis=0))
    degrees = table.size - len(table) - (int(np.linalg.matrix_rank(matrix)) - 1)
    squares = float(np.square(apart - fitted).sum())
    return (sqrt(squares / degrees) if degrees > 0 else nan), degrees


class _Model:
    """The coefficients of a design, with levels coded so that effects sum to zero.

    Of effects that the design mixes only the first one is part of the model.
    """

    def __init__(self, levels: Sequence[int], planned: Sequence[Cell]) -> None:
        self.levels = levels
        every = terms(len(levels))
        self.groups: list[list[Signed]] = [[(1, term)] for term in every]
        if all(count == 2 for count in levels):
            self.groups = aliases(planned, len(levels))
        self.terms = [group[0][1] for group in self.groups]
        self.parts = [parts for term in self.terms for parts in self._parts(term)]

    def _parts(self, term: Term) -> list[tuple[Part, ...]]:
        others = (range(1, self.levels[factor]) for factor in term)
        chosen = itertools.product(*others)
        return [tuple(zip(term, one, strict=True)) for one in chosen]

    def aliases_of(self, parts: tuple[Part, ...]) -> tuple[Signed, ...]:
        """The effects that the design mixes with one in the model."""
        term = tuple(factor for factor, _ in parts)
        return tuple(self.groups[self.terms.index(term)][1:])

    def matrix(self, cells: Sequence[Cell]) -> Values:
        """The model (combinations, coefficients); the first column is the mean."""
        rows = [[1.0, *(_product(cell, parts) for parts in self.parts)] for cell in cells]
        return np.array(rows)

    def weights(self, cells: Sequence[Cell]) -> dict[tuple[Part, ...], Values | None]:
        """By effect, the weight of each combination; None if they cannot show the effect."""
        matrix = self.matrix(cells)
        inverse = np.linalg.pinv(matrix)
        shown = inverse @ matrix  # the coefficients that the combinations determine
        found: dict[tuple[Part, ...], Values | None] = {}
        for parts in self.parts:
            effect = self._contrast(parts)
            known = bool(np.allclose(effect @ shown, effect, atol=_TINY))
            # Rounded, so that weights that are whole fractions are the same on every machine.
            found[parts] = np.asarray((effect @ inverse).round(_DIGITS), float) if known else None
        return found

    def _contrast(self, parts: tuple[Part, ...]) -> Values:
        """An effect as a sum of coefficients: differences to the default level."""
        term = tuple(factor for factor, _ in parts)
        weights = [0.0]
        for other in self.parts:
            same = tuple(factor for factor, _ in other) == term
            # The default level has the code -1 in every coefficient of its factor.
            pairs = zip(parts, other, strict=False)
            equal = [1.0 + (mine == its) for mine, its in pairs]
            weights.append(float(np.prod(equal)) if same else 0.0)
        return np.array(weights)


def _product(cell: Cell, parts: tuple[Part, ...]) -> float:
    """The code of a combination in one coefficient."""
    codes = [(cell[factor] == other) - (cell[factor] == 0) for factor, other in parts]
    return float(np.prod(codes))
