"""The table of all rows, without the columns that are the same in every row."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from qbench.planning.designs import BASELINE, DEFAULT
from qbench.report.collect import COLUMNS
from qbench.report.tables import Metrics, for_reading, printable

_LATER = ("quantized", *COLUMNS)
_LONG = 40  # letters; a longer text becomes a note below the table


@dataclass(frozen=True)
class Cell:
    """A cell.

    Attributes:
        text: its text.
        note: the number of a note below the table that stands for the text; 0 if none does.
    """

    text: str
    note: int = 0


@dataclass(frozen=True)
class Table:
    """The table.

    Attributes:
        heads: (heading, whether the column has numbers) of the columns that are shown.
        rows: (class, cells) of each row.
        constant: (heading, text) of the columns that are the same in every row.
        notes: the long texts of cells, each once.
    """

    heads: list[tuple[str, bool]]
    rows: list[tuple[str, list[Cell]]]
    constant: list[tuple[str, str]]
    notes: list[str]


def table(frame: pd.DataFrame, metrics: Metrics) -> Table:
    """The table of the page.

    Args:
        frame: the result of `qbench.report.tables.with_comparisons`.
        metrics: the metrics of the sweep.
    """
    shown = printable(frame, metrics)
    columns = [shown.iloc[:, k].tolist() for k in range(shown.shape[1])]
    names = for_reading(frame)
    numeric = [
        pd.api.types.is_numeric_dtype(frame[name]) or name.endswith("interval") for name in names
    ]
    folded = {k for k, texts in enumerate(columns) if k and len(frame) > 1 and len(set(texts)) == 1}
    # A row's name says its factors, so the columns of results come first.
    kept = sorted(set(range(len(columns))) - folded, key=lambda k: (names[k] in _LATER, k))
    notes = _notes([columns[k] for k in kept[1:]])
    number = {text: place for place, text in enumerate(notes, 1)}
    rows = []
    for line, status in enumerate(frame["status"]):
        label = columns[0][line]
        kind = "bad" if status != "ok" else "top" if label in (BASELINE, DEFAULT) else ""
        texts = [columns[k][line] for k in kept]
        rows.append((kind, [Cell(text, number.get(text, 0)) for text in texts]))
    heads = [(str(shown.columns[k]), numeric[k]) for k in kept]
    constant = [(str(shown.columns[k]), columns[k][0]) for k in sorted(folded)]
    return Table(heads, rows, constant, notes)


def _notes(columns: list[list[str]]) -> list[str]:
    """The long texts of columns, each once, in the order of the rows."""
    rows = zip(*columns, strict=True)
    return list(dict.fromkeys(text for row in rows for text in row if len(text) > _LONG))
