"""A figure of merit as tables, figures and reports show it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

Place = Literal["first", "table", "file"]


@dataclass(frozen=True)
class Metric:
    """What is known of a figure of merit, beside its value.

    Attributes:
        name: its key in records and its column in CSV files.
        label: its name in headings and sentences.
        unit: `%` for shares, the unit of a quantity, or empty.
        digits: decimal places that are printed.
        higher_is_better: the direction of better values.
        place: `first`: a leading column, also measured of converted files; `table`: a later column;
            `file`: in CSV files alone.
        note: sentences that a reader needs beside the figure; may be empty.
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
        """Plain data, as `from_config` reads them."""
        return asdict(self)

    @staticmethod
    def from_config(config: Mapping[str, Any]) -> Metric:
        """The metric that plain data describe."""
        return Metric(**config)
