"""Tables of papers that come with qbench, for studies that repeat their rows.

A table is a CSV file here. It has a line for each row of the paper: its settings, in the columns
that qbench's own tables have for factors, and what was measured, in columns with the names of
metrics. An empty cell is a setting that the row does not have.

`kwasniewska2019.csv` has the 16 rows of Table I of Kwasniewska et al., "Deep Learning Optimization
for Edge Devices: Analysis of Training Quantization Parameters" (2019), with its numbers as they are
printed; docs/claims.md says how they were measured.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from qbench.planning.factors import COLUMNS

_OP = "op"
_FACTORS = tuple(str(setting.column) for setting in COLUMNS)
_KEYS = {"quant.enabled", *(setting.key for setting in COLUMNS)}

Line = Mapping[str, str]


@dataclass(frozen=True)
class Published:
    """A table of a paper.

    Attributes:
        name: the value of `study.repeats`, and the name of its file.
        title: the paper, as headings name it.
        about: how the paper made its rows, as a sentence.
        note: what a reader of its numbers must know, in sentences.
    """

    name: str
    title: str
    about: str
    note: str

    @cached_property
    def lines(self) -> tuple[Line, ...]:
        """Its lines as text, by column."""
        path = Path(__file__).with_name(f"{self.name}.csv")
        with path.open(encoding="utf-8", newline="") as file:
            return tuple(csv.DictReader(file))

    def line(self, changed: Iterable[str], quantized: bool, factors: Line) -> Line | None:
        """The line of a row of a sweep; None if the paper has no such row.

        Args:
            changed: the settings in which the row differs from the default.
            quantized: whether it is quantized.
            factors: its cells by column. An empty cell, a setting that has no effect in the row,
                fits every cell of the paper; only the op must be the same.
        """
        if not set(changed) <= _KEYS:
            return None
        found = [
            line
            for line in self.lines
            if (line["quantized"] == "yes") == quantized
            and line[_OP] == factors[_OP]
            and all(factors[name] in ("", line[name]) for name in _FACTORS)
        ]
        return found[0] if len(found) == 1 else None


_ALL = (
    Published(
        name="kwasniewska2019",
        title="Kwasniewska et al. 2019, Table I",
        about=(
            "Kwasniewska et al. 2019, Table I: TensorFlow-Slim's resnet_v1_50 on CIFAR-10, 350,000"
            " steps, one run for each row"
        ),
        note=(
            "The paper has no repeats: two of its rows that are almost the same computation as"
            " another one (half up beside half to even, 32 bits beside the baseline) differ from it"
            " by 0.83 and 0.43 points. Its sizes mix two units, so 89.6 is not four times 22.95."
        ),
    ),
)

PUBLISHED: dict[str, Published] = {one.name: one for one in _ALL}
"""The tables by name."""
