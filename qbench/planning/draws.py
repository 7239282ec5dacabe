"""Which seeds are the members of the ensembles of a size."""

from __future__ import annotations

from collections.abc import Callable, Sequence

Draws = Callable[[Sequence[int], int], list[tuple[int, ...]]]


def disjoint(seeds: Sequence[int], count: int) -> list[tuple[int, ...]]:
    """Groups of `count` seeds in their order; seeds that do not fill a group are left out."""
    firsts = range(0, len(seeds) - count + 1, count)
    return [tuple(seeds[first : first + count]) for first in firsts]


def rotated(seeds: Sequence[int], count: int) -> list[tuple[int, ...]]:
    """A group that begins at each seed and goes on at the first one after the last.

    Each seed is in `count` groups. There is one group if it has all seeds.
    """
    firsts = range(len(seeds) if count < len(seeds) else 1)
    twice = [*seeds, *seeds]
    return [tuple(twice[first : first + count]) for first in firsts]


DISJOINT, ROTATED = "disjoint", "rotated"
DRAWS: dict[str, Draws] = {DISJOINT: disjoint, ROTATED: rotated}
