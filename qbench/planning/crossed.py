"""Rows of a design as combinations of levels."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from qbench.base.checks import show
from qbench.statistics.aliases import Cell

Levels = Mapping[str, Sequence[Any]]


@dataclass(frozen=True)
class Crossed:
    """A design as a table of combinations.

    Attributes:
        levels: by factor with two levels or more, the levels as texts, the default first.
        cells: for each row, the index of the level of each of these factors; None for a row that is
            no combination of them, such as the float baseline.
    """

    levels: dict[str, tuple[str, ...]]
    cells: tuple[Cell | None, ...]

    @property
    def names(self) -> list[str]:
        """The factors."""
        return list(self.levels)

    @property
    def combinations(self) -> list[Cell]:
        """The cells of all rows that are combinations."""
        return [cell for cell in self.cells if cell is not None]

    @property
    def has_crossings(self) -> bool:
        """Whether some row differs from the default in two factors or more."""
        return any(sum(map(bool, cell)) > 1 for cell in self.combinations)


def crossed(levels: Levels, changes: Iterable[Mapping[str, Any]]) -> Crossed:
    """The combinations of a design.

    Args:
        levels: the levels of every factor, the default first.
        changes: the keys and values of each row that differ from the default.
    """
    shown = {key: tuple(map(show, values)) for key, values in levels.items()}
    cells = tuple(_cell(shown, row) for row in changes)
    varied = [index for index, values in enumerate(shown.values()) if len(values) > 1]
    return Crossed(
        {key: values for key, values in shown.items() if len(values) > 1},
        tuple(cell and tuple(cell[index] for index in varied) for cell in cells),
    )


def _cell(levels: Mapping[str, tuple[str, ...]], changes: Mapping[str, Any]) -> Cell | None:
    if any(key not in levels for key in changes):
        return None
    chosen = {key: show(value) for key, value in changes.items()}
    return tuple(values.index(chosen.get(key, values[0])) for key, values in levels.items())
