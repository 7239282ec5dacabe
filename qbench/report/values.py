"""Texts for values of metrics and for differences of them, in tables and figures."""

from __future__ import annotations

from collections.abc import Sequence
from math import nan
from statistics import fmean, stdev
from typing import Any

import pandas as pd

from qbench.tasks.metric import Metric


def number(metric: Metric, value: float) -> str:
    """`98.50`, or `-` if there is no value."""
    return "-" if pd.isna(value) else metric.show(value)


def mean(metric: Metric, values: Sequence[float]) -> str:
    """`98.50 ± 0.12`, the mean with the sample standard deviation; `98.50` of one value, or `-`."""
    if len(values) < 2:
        return metric.show(values[0]) if values else "-"
    return f"{metric.show(fmean(values))} ± {metric.show(stdev(values))}"


def amount(metric: Metric, *values: float) -> str:
    """`98.50 %`, `1.250 px`; `similarity 0.912` for a metric without a unit.

    Of several values it is their `mean`.
    """
    shown = mean(metric, values)
    return f"{shown} {metric.unit}" if metric.unit else f"{metric.label} {shown}"


def difference(metric: Metric, value: float) -> str:
    """`+0.17`, `-1.00`, `0.00`, or `-` if there is no value."""
    return "-" if pd.isna(value) else signed(value, metric.digits)


def signed(value: float, digits: int) -> str:
    """`+0.17`, `-1.00`, `0.00`."""
    shown = f"{value:+.{digits}f}"
    return shown if float(shown) else f"{0.0:.{digits}f}"


def unit_of_differences(metric: Metric) -> str:
    """`percentage points` for shares, else the metric's unit; its label if it has no unit."""
    return "percentage points" if metric.unit == "%" else metric.unit or metric.label


def column_of(what: str, metric: Metric) -> str:
    """The heading of a column with the metric's values: `float %`, `deployed px`."""
    return f"{what} {metric.unit}".rstrip()


def axis(metric: Metric) -> str:
    """The label of an axis of the metric, `error px (lower is better)`."""
    return metric.heading + direction(metric)


def axis_of_files(metric: Metric) -> str:
    """The label of an axis of the metric for converted files, `error of the file, px`."""
    unit = f", {metric.unit}" if metric.unit else ""
    return f"{metric.label} of the file{unit}{direction(metric)}"


def direction(metric: Metric) -> str:
    """A note if lower values are better; else empty."""
    return "" if metric.higher_is_better else " (lower is better)"


def capital(text: str) -> str:
    """The text with a capital first letter, for the start of a sentence."""
    return text[:1].upper() + text[1:]


def mean_of(column: pd.Series[Any]) -> float:
    """The mean of the numbers in a column, NaN if there are none; rounded once, by `fmean`.

    The mean of pandas may differ in the last bit, and then two tables show 84.82 and 84.83.
    """
    numbers = column.dropna().astype(float)
    return fmean(numbers) if len(numbers) else nan
