"""Aliases: effects of two-level factors that a fraction of all combinations cannot tell apart."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

Cell = tuple[int, ...]
"""A combination: the index of the level of each factor; 0 is the default level."""
Term = tuple[int, ...]
"""The factors of an effect by their index: one for a main effect, two for an interaction."""
Signed = tuple[int, Term]
"""An effect with the sign, 1 or -1, that it has in a sum."""


def terms(factors: int) -> list[Term]:
    """Main effects, then interactions of two factors."""
    return [term for size in (1, 2) for term in itertools.combinations(range(factors), size)]


def aliases(cells: Sequence[Cell], factors: int) -> list[list[Signed]]:
    """The effects in groups; the combinations show only the sum of each group.

    Interactions of three or more factors are left out.

    Args:
        cells: the combinations, each factor with the levels 0 and 1.
        factors: number of factors.

    Returns:
        The groups; each begins with a sign of 1, in the order of `terms`. A group of one effect
        has no alias.
    """
    signs = 2 * np.asarray(cells, int).reshape(len(cells), factors) - 1
    groups: list[list[Signed]] = []
    columns: list[np.ndarray] = []
    for term in terms(factors):
        column = signs[:, list(term)].prod(axis=1)
        products = [int(column @ other) for other in columns]
        found = next((k for k, one in enumerate(products) if abs(one) == len(cells)), None)
        if found is None or not len(cells):
            groups.append([(1, term)])
            columns.append(column)
        else:
            groups[found].append((1 if products[found] > 0 else -1, term))
    return groups


def written(term: Term, names: Sequence[str]) -> str:
    """An effect by the names of its factors, `quant.op x quant.bits`."""
    return " x ".join(names[factor] for factor in term)


def table(cells: Sequence[Cell], names: Sequence[str]) -> list[str]:
    """The alias table: one line for each group, `quant.op = -quant.bits x quant.delay`."""
    return [
        " = ".join(f"{'-' if sign < 0 else ''}{written(term, names)}" for sign, term in group)
        for group in aliases(cells, len(names))
    ]
