"""The tables as text."""

from __future__ import annotations

import csv

import pandas as pd

from qbench.report.comparison import EMPTY, Comparisons, cells
from qbench.report.deployed import AGREEMENT, PREFIX, measured_columns
from qbench.report.texts import aligned
from qbench.report.texts import markdown as in_markdown
from qbench.report.values import column_of, signed
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
    "interval": "95 % interval",
    f"{PREFIX}difference": "deployed difference",
    f"{PREFIX}interval": "deployed 95 % interval",
    f"{PREFIX}verdict": "deployed verdict",
}
_AFTER = "quantized"  # the column behind those of the metrics
_BOUNDS = ("difference_low", "difference_high")  # for programs; readers get `interval`


Metrics = tuple[Metric, ...]


def printable(table: pd.DataFrame, metrics: Metrics) -> pd.DataFrame:
    """The table as texts for a reader: rounded, with spreads, `-` for a missing value.

    `configuration`, the last column of table.csv, comes first.
    """
    digits, headings = _digits(metrics), _headings(metrics)
    heads, columns = [], []
    for column in for_reading(table):
        texts = [cell(column, value, digits.get(column)) for value in table[column]]
        spread = f"{column}_std"
        if spread in table.columns:
            texts = [
                text if pd.isna(std) else f"{text} ± {cell(spread, std, digits.get(column))}"
                for text, std in zip(texts, table[spread], strict=True)
            ]
        heads.append(headings.get(column, column))
        columns.append(texts)
    # Two columns may have the same heading, so headings cannot be keys.
    return pd.DataFrame(list(zip(*columns, strict=True)), table.index, heads)


def _digits(metrics: Metrics) -> dict[str, int]:
    """Decimal places by column."""
    of_differences = dict.fromkeys(("difference", f"{PREFIX}difference"), metrics[0].digits)
    own = {metric.name: metric for metric in metrics}
    every = own | validation_columns(own) | measured_columns(metrics)
    return {name: one.digits for name, one in every.items()} | of_differences


def _headings(metrics: Metrics) -> dict[str, str]:
    """Headings by column, if they differ from the column's name."""
    own = {metric.name: metric.heading for metric in metrics}
    validation = {name: f"validation {heading}" for name, heading in own.items()}
    found = _HEADINGS | own | validation_columns(validation)
    for name, metric in measured_columns(metrics).items():
        deployed = "" if metric is AGREEMENT else "deployed "
        found[name] = f"{deployed}{metric.heading}"
    return found | {f"deployed_{metrics[0].name}": column_of("deployed", metrics[0])}


def with_comparisons(table: pd.DataFrame, made: Comparisons) -> pd.DataFrame:
    """The table with the columns of `comparison.cells`, for files with the prefix `deployed_`.

    Args:
        table: the result of `qbench.report.collect.table_frame`.
        made: the comparisons of the same sweep.
    """
    frame = table.copy()
    for prefix, one, before in ((PREFIX, made.deployed, "packed_mb"), ("", made.simulated, _AFTER)):
        if one is not None:
            lines = [cells(one, label) for label in table["configuration"]]
            for name in EMPTY:
                place = list(frame.columns).index(before)
                frame.insert(place, f"{prefix}{name}", [line[name] for line in lines])
    return frame


def for_programs(table: pd.DataFrame) -> pd.DataFrame:
    """The table without the columns that repeat numbers as texts."""
    return table.drop(columns=[name for name in table.columns if name.endswith("interval")])


def for_reading(table: pd.DataFrame) -> list[str]:
    """The columns in the order in which they are printed, without those that others contain."""
    shown = [name for name in table.columns if not name.endswith(("_std", *_BOUNDS))]
    return sorted(shown, key=lambda column: column != "configuration")


def cell(column: str, value: object, digits: int | None = None) -> str:
    """One value as text, with the decimal places of the column."""
    if value is None or value == "" or (isinstance(value, float) and pd.isna(value)):
        return "-"
    if isinstance(value, float) and column.removeprefix(PREFIX) == "difference":
        return signed(value, _DECIMAL_PLACES if digits is None else digits)
    if isinstance(value, float) and column.endswith("_mb"):
        return f"{value:.3g}" if value < 1 else f"{value:.2f}"
    if isinstance(value, float):
        return f"{value:.{_DECIMAL_PLACES if digits is None else digits}f}"
    return str(value)


def terminal(table: pd.DataFrame, metrics: Metrics) -> str:
    """The columns that fit a terminal, aligned.

    With several seeds they are the first metric with its comparison; a table of the files follows
    if there are any.
    """
    first, has_files = metrics[0].name, "export" in table.columns
    if f"{first}_std" not in table.columns:
        return _aligned(table, _for_terminal(metrics, table), metrics)
    compared = ["difference", "interval", "verdict"]
    size = "tflite_mb" if has_files else "size_mb"
    wanted = ["configuration", first, *_present(table, compared), size, "status"]
    text = _aligned(table, wanted, metrics)
    if has_files:
        of_files = _present(table, [f"{PREFIX}{name}" for name in compared])
        wanted = ["configuration", f"{PREFIX}{first}", *of_files, AGREEMENT.name]
        text += f"\n\n{_aligned(table, wanted, metrics)}"
    return text


def _present(table: pd.DataFrame, names: list[str]) -> list[str]:
    return [name for name in names if name in table.columns]


def _aligned(table: pd.DataFrame, wanted: list[str], metrics: Metrics) -> str:
    """These columns with their spreads; differences without, since they have intervals."""
    spreads = [f"{name}_std" for name in wanted if not name.endswith("difference")]
    shown = printable(table[[*wanted, *_present(table, spreads)]], metrics)
    lines = [[_short(head) for head in shown.columns], *shown.to_numpy().tolist()]
    return aligned(lines, last_is_text=wanted[-1] == "status")


def _short(head: str) -> str:
    """The heading of a column of a comparison on a terminal; its table says what is compared."""
    own = head.removeprefix("deployed ")
    return own if own in ("difference", "95 % interval", "verdict") else head


def _for_terminal(metrics: Metrics, table: pd.DataFrame) -> list[str]:
    """The columns that fit with one seed, for a sweep with converted runs and for any other."""
    first = [metric.name for metric in leading(metrics)]
    # Of the metrics on validation images only the first one fits.
    first += [name for name in validation_columns({first[0]: ""}) if name in table.columns]
    if "export" in table.columns:
        sizes = ["size_mb", "packed_mb", "tflite_mb"]
        measured = [f"{PREFIX}{metrics[0].name}", AGREEMENT.name, "export"]
        return ["configuration", *first, *sizes, *measured, "status"]
    later = [metric.name for metric in metrics if metric.place == "table"]
    return ["configuration", *first, *later, "size_mb", "status"]


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
