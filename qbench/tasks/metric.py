"""A metric: how tables, figures and reports show it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

from qbench.base.errors import QbenchError
from qbench.base.plain import one_line

Place = Literal["first", "table", "file"]

_NAME = re.compile(r"[a-z][a-z0-9_]*")
# Other names in tables and in reports of conversions. A metric must not have such a name.
TAKEN = frozenset(
    {
        *("configuration", "seed", "run", "status", "error", "quantized", "n_seeds", "n_deployed"),
        *("derived", "members"),
        *("steps_float", "steps_quantized", "seconds", "export", "export_note", "agreement"),
        *("difference", "largest_difference", "mean_difference"),
        *("difference_low", "difference_high", "interval", "verdict"),
    }
)
_TAKEN_ENDINGS = ("_std", "_mb")
_LONGEST_LABEL, _LONGEST_UNIT = 40, 20
VALIDATION = "validation_"
# Prefixes that tables put before the name of a metric. They say where it was measured.
TAKEN_STARTS = ("float_", "deployed_", "xnnpack_", "builtin_", "reference_", VALIDATION)


@dataclass(frozen=True)
class Metric:
    """The description of a metric, without its values.

    Attributes:
        name: its key in records, its column in CSV files, and a part of file names. It has
            lower-case letters, digits and underscores. No other column may have this name.
        label: its name in headings and sentences, one short line. No two metrics of a task have
            the same label and unit.
        unit: `%` for shares, the unit of a quantity, or empty; one short line.
        digits: number of printed decimal places.
        higher_is_better: whether higher values are better.
        place: `first`: a leading column, also measured on converted files; `table`: a later column;
            `file`: a later column, only in tables that are written to files, not on a terminal.
        note: sentences that a reader of the values needs; may be empty.
    """

    name: str
    label: str
    unit: str
    digits: int
    higher_is_better: bool
    place: Place = "table"
    note: str = ""

    @property
    def heading(self) -> str:
        """The head of its column."""
        return f"{self.label} {self.unit}".rstrip()

    def show(self, value: float) -> str:
        """A value with its digits, without the unit."""
        return f"{value:.{self.digits}f}"

    def as_config(self) -> dict[str, Any]:
        """The metric as plain data that `from_config` reads."""
        return asdict(self)

    @staticmethod
    def from_config(config: Mapping[str, Any]) -> Metric:
        """The metric that plain data describe."""
        return Metric(**config)


def validation_columns(values: Mapping[str, Any]) -> dict[str, Any]:
    """Values or descriptions of metrics by the names of their columns for validation images."""
    return {f"{VALIDATION}{name}": value for name, value in values.items()}


def leading(metrics: Iterable[Metric]) -> tuple[Metric, ...]:
    """The metrics that are leading columns and are also measured on converted files."""
    return tuple(metric for metric in metrics if metric.place == "first")


def check_metrics(task: str, metrics: Iterable[Metric]) -> None:
    """Check that tables and reports of conversions can hold a task's metrics.

    Args:
        task: the name of the task, for messages.
        metrics: the metrics of the task.

    Raises:
        QbenchError: the first metric does not have the place `first`; the name of a metric is not
            allowed or is already used; or tables cannot show its label, unit, place or digits.
    """
    listed = tuple(metrics)
    if not listed or listed[0].place != "first":
        raise QbenchError(f"task {task}: expected a first metric whose place is `first`.")
    names = [metric.name for metric in listed]
    for name in names:
        if not _NAME.fullmatch(name):
            raise QbenchError(
                f"task {task}: a metric is called {name!r}; expected lower-case letters, digits and"
                " underscores, a letter first."
            )
        if name in TAKEN or _has_taken_part(name) or names.count(name) > 1:
            raise QbenchError(
                f"task {task}: a metric is called {name}, and so is something else in its tables;"
                f" taken are {', '.join(sorted(TAKEN))}, what ends in"
                f" {' or '.join(_TAKEN_ENDINGS)}, and what starts with"
                f" {' or '.join(TAKEN_STARTS)}."
            )
    for metric in listed:
        _check_shown(task, metric, [one.heading for one in listed])


def _has_taken_part(name: str) -> bool:
    return name.endswith(_TAKEN_ENDINGS) or name.startswith(TAKEN_STARTS)


def _check_shown(task: str, metric: Metric, headings: list[str]) -> None:
    """Check the label, unit, place and digits; tables would silently omit an unknown place."""
    start = f"task {task}: metric {metric.name}"
    for what, text, least, most in (
        ("label", metric.label, 1, _LONGEST_LABEL),
        ("unit", metric.unit, 0, _LONGEST_UNIT),
    ):
        if not least <= len(text) <= most or one_line(text) != text:
            raise QbenchError(
                f"{start} has {what} {text!r}; expected one line of {least} to {most}"
                " letters, which headings and figures have room for."
            )
    if headings.count(metric.heading) > 1:
        raise QbenchError(
            f"{start} has the heading {metric.heading!r}, and so has another one; expected a label"
            " of its own."
        )
    if metric.place not in get_args(Place):
        raise QbenchError(
            f"{start} has place {metric.place!r}; expected {', '.join(get_args(Place))}."
        )
    if type(metric.digits) is not int or metric.digits < 0:
        raise QbenchError(
            f"{start} has digits {metric.digits!r}; expected a whole number, 0 or up."
        )


def check_alike(where: str, metrics: Iterable[tuple[str, tuple[Metric, ...]]]) -> None:
    """Check that the rows of one table have the same metrics.

    Args:
        where: the table or sweep of the rows, for the message.
        metrics: for each row, or for each data set: the name of the data, and their metrics.

    Raises:
        QbenchError: two rows differ in the names, units or directions of their metrics.
    """
    said: dict[tuple[Any, ...], str] = {}
    for data, listed in metrics:
        key = tuple((one.name, one.unit, one.higher_is_better) for one in listed)
        names = (f"{one.name} in {one.unit}" if one.unit else one.name for one in listed)
        said.setdefault(key, f"{data} has {', '.join(names)}")
    if len(said) > 1:
        raise QbenchError(
            f"{where}: {'; '.join(said.values())}; expected data with the same metrics, since"
            " they share a table: make a sweep of each."
        )
