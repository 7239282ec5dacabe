"""The tables as text."""

from __future__ import annotations

import csv

import pandas as pd

from qbench.report.deployed import AGREEMENT, measured_columns
from qbench.report.texts import aligned
from qbench.report.texts import markdown as in_markdown
from qbench.report.values import column_of
from qbench.tasks.metric import Metric, leading, validation_columns

_DECIMALS = 6  # decimal places in CSV files
_DECIMAL_PLACES = 4  # printed decimal places of a column that sets no number
_HEADINGS = {
    "delay_pct": "delay %",
    "size_mb": "size MB",
    "range_given": "range given",
    "n_seeds": "seeds",
    "packed_mb": "packed MB",
    "tflite_mb": "file MB",
    "export_note": "export note",
    "n_deployed": "deployed seeds",
}


Metrics = tuple[Metric, ...]


def printable(table: pd.DataFrame, metrics: Metrics) -> pd.DataFrame:
    """The table as texts for a reader: rounded, with spreads, `-` for a missing value.

    `configuration`, the last column of table.csv, comes first.
    """
    digits, headings = _digits(metrics), _headings(metrics)
    heads, columns = [], []
    for column in for_reading(table):
        if column.endswith("_std"):
            continue
        texts = [cell(column, value, digits.get(column)) for value in table[column]]
        spread = f"{column}_std"
        if spread in table.columns:
            texts = [
                text if pd.isna(std) else f"{text} ± {cell(column, std, digits.get(column))}"
                for text, std in zip(texts, table[spread], strict=True)
            ]
        heads.append(headings.get(column, column))
        columns.append(texts)
    # Two columns may have the same heading, so headings cannot be keys.
    return pd.DataFrame(list(zip(*columns, strict=True)), table.index, heads)


def _digits(metrics: Metrics) -> dict[str, int]:
    """Decimal places by column."""
    own = {metric.name: metric for metric in metrics}
    every = own | validation_columns(own) | measured_columns(metrics)
    return {name: one.digits for name, one in every.items()}


def _headings(metrics: Metrics) -> dict[str, str]:
    """Headings by column, if they differ from the column's name."""
    own = {metric.name: metric.heading for metric in metrics}
    validation = {name: f"validation {heading}" for name, heading in own.items()}
    found = _HEADINGS | own | validation_columns(validation)
    for name, metric in measured_columns(metrics).items():
        deployed = "" if metric is AGREEMENT else "deployed "
        found[name] = f"{deployed}{metric.heading}"
    return found | {f"deployed_{metrics[0].name}": column_of("deployed", metrics[0])}


def for_reading(table: pd.DataFrame) -> list[str]:
    """The columns in the order in which they are printed."""
    return sorted(table.columns, key=lambda column: column != "configuration")


def cell(column: str, value: object, digits: int | None = None) -> str:
    """One value as text, with the decimal places of the column."""
    if value is None or value == "" or (isinstance(value, float) and pd.isna(value)):
        return "-"
    if isinstance(value, float) and column.endswith("_mb"):
        return f"{value:.3g}" if value < 1 else f"{value:.2f}"
    if isinstance(value, float):
        return f"{value:.{_DECIMAL_PLACES if digits is None else digits}f}"
    return str(value)


def terminal(table: pd.DataFrame, metrics: Metrics) -> str:
    """The columns that fit a terminal, aligned."""
    wanted = _for_terminal(metrics, table)
    spreads = [f"{column}_std" for column in wanted if f"{column}_std" in table.columns]
    shown = printable(table[[*wanted, *spreads, "status"]], metrics)
    return aligned([list(shown.columns), *shown.to_numpy().tolist()], last_is_text=True)


def _for_terminal(metrics: Metrics, table: pd.DataFrame) -> list[str]:
    """The columns that fit, for a sweep with converted runs and for any other sweep."""
    first = [metric.name for metric in leading(metrics)]
    # Of the metrics on validation images only the first one fits.
    first += [name for name in validation_columns({first[0]: ""}) if name in table.columns]
    if "export" in table.columns:
        sizes = ["size_mb", "packed_mb", "tflite_mb"]
        measured = [f"deployed_{metrics[0].name}", AGREEMENT.name, "export"]
        return ["configuration", *first, *sizes, *measured]
    later = [metric.name for metric in metrics if metric.place == "table"]
    return ["configuration", *first, *later, "size_mb"]


def markdown(table: pd.DataFrame, metrics: Metrics) -> str:
    """The whole table in Markdown."""
    shown = printable(table, metrics)
    return in_markdown([list(shown.columns), *shown.to_numpy().tolist()], numbers=False)


def csv_text(frame: pd.DataFrame) -> str:
    """A table as CSV, for programs: numbers to six decimals, texts exactly as they are."""
    texts = [value for column in frame for value in frame[column] if isinstance(value, str)]
    # Python before 3.13 does not quote a carriage return; a reader then sees the end of the line.
    returns = any("\r" in text for text in texts)
    return frame.round(_DECIMALS).to_csv(
        index=False,
        lineterminator="\n",
        quoting=csv.QUOTE_NONNUMERIC if returns else csv.QUOTE_MINIMAL,
    )
