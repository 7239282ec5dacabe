"""A part of a report below the table of all rows, in every form of the report."""

from __future__ import annotations

from dataclasses import dataclass, field

from qbench.report.drawing import Drawing
from qbench.report.texts import Lines


@dataclass(frozen=True)
class Section:
    """A part of the report below the table of all rows.

    Attributes:
        title: its heading.
        explained: a sentence about the values in the tables.
        tables: the tables, each with its own heading, which may be empty.
        drawings: its figures.
        wide: whether it is too wide for a terminal, which then leaves it out.
    """

    title: str
    explained: str
    tables: list[tuple[str, Lines]]
    drawings: list[Drawing] = field(default_factory=list)
    wide: bool = False
