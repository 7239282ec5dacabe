"""Alias tables, by hand and against pydoe."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from pydoe import fracfact, fracfact_aliasing

from qbench.statistics.aliases import aliases, table

HALF = [cell for cell in itertools.product((0, 1), repeat=4) if sum(cell) % 2 == 0]


def test_all_combinations_mix_nothing() -> None:
    full = list(itertools.product((0, 1), repeat=3))
    assert table(full, "abc") == ["a", "b", "c", "a x b", "a x c", "b x c"]


def test_half_of_four_factors() -> None:
    assert table(HALF, "abcd") == [
        *"abcd",
        "a x b = c x d",
        "a x c = b x d",
        "a x d = b x c",
    ]


def test_signs() -> None:
    assert table([(0, 0, 0), (0, 1, 1), (1, 0, 1), (1, 1, 0)], "abc") == [
        "a = -b x c",
        "b = -a x c",
        "c = -a x b",
    ]


@pytest.mark.parametrize("generator", ["a b ab", "a b c abc", "a b c ab ac", "a b c d abcd"])
def test_the_groups_are_those_of_pydoe(generator: str) -> None:
    signs = np.asarray(fracfact(generator))
    count = signs.shape[1]
    names = "abcdefgh"[:count]
    theirs = [
        frozenset(word for word in line.split(" = ") if 0 < len(word) <= 2)
        for line in fracfact_aliasing(signs)[0]
    ]
    cells = [tuple(row) for row in (signs > 0).astype(int).tolist()]
    ours = [
        frozenset("".join(names[factor] for factor in term) for _, term in group)
        for group in aliases(cells, count)
    ]
    assert set(ours) == {group for group in theirs if group}
