"""What the page shows of a recommendation: that without limits, of the smallest row."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from qbench.base.errors import QbenchError
from qbench.report.collect import Sweep
from qbench.report.recommend import Limits, recommend, words
from qbench.report.texts import Lines

_WARNING = "! "  # the start of a note that a reader must not miss


@dataclass(frozen=True)
class Advice:
    """The section.

    Attributes:
        sentence: the answer, or why there is none.
        lines: the recommended rows; empty if there is none.
        warnings: what speaks against a recommended row.
        notes: what a reader of the values needs to know.
    """

    sentence: str
    lines: Lines
    warnings: list[str]
    notes: list[str]


def advice(sweep: Sweep, known: Collection[str] = ()) -> Advice | None:
    """The section; None if no row has a value.

    Args:
        sweep: the sweep.
        known: notes that the page has already.
    """
    if not sweep.finished:
        return None
    try:
        made = recommend(sweep, Limits())
    except QbenchError as error:
        # The page says nothing of the folder, which may be moved.
        why = str(error).removeprefix(f"{sweep.folder}: ")
        return Advice(f"There is no recommendation: {why}", [], [], [])
    lines = words.table(made) if made.choices else []
    notes = [note for note in words.notes(made) if note not in known]
    warnings = [note.removeprefix(_WARNING) for note in notes if note.startswith(_WARNING)]
    notes = [note for note in notes if not note.startswith(_WARNING)]
    return Advice(words.sentence(made), lines, warnings, notes)
