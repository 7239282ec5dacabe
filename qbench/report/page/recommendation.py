"""What the page shows of a recommendation: that without limits, of the smallest row."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

from qbench.base.errors import QbenchError
from qbench.report.collect import Sweep
from qbench.report.recommend import Limits, recommend, words
from qbench.report.texts import Lines

# The command line that trains a run of a sweep, by its id.
Line = Callable[[Sweep, str], str]

_WARNING = "! "  # the start of a note that a reader must not miss


@dataclass(frozen=True)
class Advice:
    """The section.

    Attributes:
        sentence: the answer, or why there is none.
        lines: the recommended rows; empty if there is none.
        command: the command line that trains the first of them; "" if there is none.
        warnings: what speaks against a recommended row.
        notes: what a reader of the values needs to know.
    """

    sentence: str
    lines: Lines
    command: str
    warnings: list[str]
    notes: list[str]


def advice(sweep: Sweep, known: Collection[str] = (), line: Line | None = None) -> Advice | None:
    """The section; None if no row has a value.

    Args:
        sweep: the sweep.
        known: notes that the page has already.
        line: gives the command line that trains a run.
    """
    if not sweep.finished:
        return None
    try:
        made = recommend(sweep, Limits())
    except QbenchError as error:
        # The page says nothing of the folder, which may be moved.
        why = str(error).removeprefix(f"{sweep.folder}: ")
        return Advice(f"There is no recommendation: {why}", [], "", [], [])
    lines = words.table(made) if made.choices else []
    notes = [note for note in words.notes(made) if note not in known]
    warnings = [note.removeprefix(_WARNING) for note in notes if note.startswith(_WARNING)]
    notes = [note for note in notes if not note.startswith(_WARNING)]
    first = made.choices[0].candidate.run if made.choices else ""
    return Advice(words.sentence(made), lines, _command(sweep, first, line), warnings, notes)


def _command(sweep: Sweep, run: str, line: Line | None) -> str:
    """The command line that trains a run; "" if there is no run or no such line."""
    if line is None or not run:
        return ""
    try:
        return line(sweep, run)
    except QbenchError:
        return ""  # `qbench recommend` says why
