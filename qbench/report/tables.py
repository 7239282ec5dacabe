"""The tables as text."""

from __future__ import annotations

import csv

import pandas as pd

from qbench.report.texts import aligned
from qbench.report.texts import markdown as in_markdown

_DECIMALS = 6
_DIGITS = {
    "accuracy": 2,
    "recall_at_5": 2,
    "recall_macro": 2,
    "precision_macro": 2,
    "loss": 4,
    "deployed_accuracy": 2,
    "deployed_recall_at_5": 2,
    "agreement": 2,
}
_HEADINGS = {
    "accuracy": "accuracy %",
    "recall_at_5": "recall@5 %",
    "recall_macro": "recall, macro %",
    "precision_macro": "precision, macro %",
    "delay_pct": "delay %",
    "size_mb": "size MB",
    "range_given": "range given",
    "n_seeds": "seeds",
    "deployed_accuracy": "deployed %",
    "deployed_recall_at_5": "deployed recall@5 %",
    "agreement": "agreement %",
    "packed_mb": "packed MB",
    "tflite_mb": "file MB",
    "export_note": "export note",
    "n_deployed": "deployed seeds",
}


# What fits a terminal, of a sweep whose runs were converted and of any other.
_SIMULATED = ["configuration", "accuracy", "recall_at_5", "recall_macro", "loss", "size_mb"]
_DEPLOYED = ["configuration", "accuracy", "recall_at_5", "size_mb", "packed_mb", "tflite_mb"]
_DEPLOYED += ["deployed_accuracy", "agreement", "export"]


def printable(table: pd.DataFrame) -> pd.DataFrame:
    """The table as texts for a reader: rounded, with spreads, `-` where nothing applies.

    What differs from the default, the last column of table.csv, stands first.
    """
    shown = pd.DataFrame(index=table.index)
    for column in for_reading(table):
        if column.endswith("_std"):
            continue
        texts = [cell(column, value) for value in table[column]]
        spread = f"{column}_std"
        if spread in table.columns:
            texts = [
                text if pd.isna(std) else f"{text} ± {cell(column, std)}"
                for text, std in zip(texts, table[spread], strict=True)
            ]
        shown[_HEADINGS.get(column, column)] = texts
    return shown


def for_reading(table: pd.DataFrame) -> list[str]:
    """The columns in the order in which they are printed."""
    return sorted(table.columns, key=lambda column: column != "configuration")


def cell(column: str, value: object) -> str:
    """One value as text."""
    if value is None or value == "" or (isinstance(value, float) and pd.isna(value)):
        return "-"
    if isinstance(value, float) and column.endswith("_mb"):
        return f"{value:.3g}" if value < 1 else f"{value:.2f}"
    if isinstance(value, float):
        return f"{value:.{_DIGITS.get(column, 4)}f}"
    return str(value)


def terminal(table: pd.DataFrame) -> str:
    """The columns that fit a terminal, aligned."""
    wanted = _DEPLOYED if "export" in table.columns else _SIMULATED
    spreads = [f"{column}_std" for column in wanted if f"{column}_std" in table.columns]
    shown = printable(table[[*wanted, *spreads, "status"]])
    return aligned([list(shown.columns), *shown.to_numpy().tolist()], last_is_text=True)


def markdown(table: pd.DataFrame) -> str:
    """The whole table in Markdown."""
    shown = printable(table)
    return in_markdown([list(shown.columns), *shown.to_numpy().tolist()], numbers=False)


def csv_text(frame: pd.DataFrame) -> str:
    """A table as CSV, for programs: numbers to six decimals, texts exactly as they are."""
    texts = [value for column in frame for value in frame[column] if isinstance(value, str)]
    # Python before 3.13 quotes no carriage return, which would end the line for whoever reads it.
    returns = any("\r" in text for text in texts)
    return frame.round(_DECIMALS).to_csv(
        index=False,
        lineterminator="\n",
        quoting=csv.QUOTE_NONNUMERIC if returns else csv.QUOTE_MINIMAL,
    )
