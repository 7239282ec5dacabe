"""The group `stats`: how the rows of a table are compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from qbench.base import allowed
from qbench.base.errors import QbenchError
from qbench.base.setting import NEVER, Group, declared, setting
from qbench.planning.designs import BASELINE, DEFAULT
from qbench.statistics.methods import DUNNETT, LEAST_OF_DUNNETT, METHODS, PAIRED
from qbench.statistics.notes import too_few_for_dunnett

_NAMED = 20  # rows that a message names


@dataclass(frozen=True, kw_only=True)
class Stats(Group, prefix="stats"):
    """`stats`: how the rows of a table are compared with one of them."""

    reference: str | None = setting(
        None,
        check=allowed.text_or_null("row"),
        effect=NEVER,
        help="the row that the others are [compared](statistics.md) with, by its name in the table,"
        " such as `baseline`. Null: `default`, or `baseline` in a table without it",
    )
    method: str = setting(
        PAIRED,
        check=allowed.one_of(METHODS),
        effect=NEVER,
        help="how [intervals](statistics-methods.md) are computed. `paired`: paired by seed, a"
        " spread for each row, Bonferroni. `dunnett`: Dunnett with seeds as blocks; it needs 8"
        " seeds and equally noisy rows",
    )
    margin: float = setting(
        0.5,
        check=allowed.number(0),
        effect=NEVER,
        help="smaller differences do not matter, in the unit of the table's first metric (for"
        " shares percentage points). A row is equivalent if its whole interval is below it",
    )

    def reference_among(self, labels: Sequence[str]) -> str | None:
        """The reference of a table with these rows; None if no row can be it."""
        if self.reference is not None:
            return self.reference if self.reference in labels else None
        return next((name for name in (DEFAULT, BASELINE, *labels) if name in labels), None)

    def with_values(self, values: Mapping[str, Any]) -> Stats:
        """A copy with other values, by name.

        Raises:
            QbenchError: a value is not allowed.
        """
        own = {one.name: getattr(self, one.name) for one in declared(Stats)}
        return Stats(**{name: values.get(name, own[name]) for name in own})


DEFAULT_STATS = Stats()
KEYS = tuple(one.key for one in declared(Stats))


def check_stats(stats: Stats, labels: Sequence[str], seeds: Sequence[int]) -> None:
    """Check that a table allows the comparison.

    Args:
        stats: the settings.
        labels: the labels of the rows that can be a reference.
        seeds: the seeds of every row.

    Raises:
        QbenchError: no row has the label of the reference, or there are too few seeds for the
            method.
    """
    if stats.reference is not None and stats.reference not in labels:
        more = f" and {len(labels) - _NAMED} more" if len(labels) > _NAMED else ""
        raise QbenchError(
            f"stats.reference={stats.reference} is not allowed: expected a row of the table:"
            f" {', '.join(labels[:_NAMED])}{more}."
        )
    if stats.method == DUNNETT and len(seeds) < LEAST_OF_DUNNETT:
        raise QbenchError(too_few_for_dunnett(len(seeds)))
