"""Tables in Markdown for pages that scripts write."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

Figures = dict[str, Any]


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """A Markdown table, numbers to the right of the first column."""
    lines = [f"| {' | '.join(heads)} |", "|" + " --- |" + " ---: |" * (len(heads) - 1)]
    return lines + [f"| {' | '.join(row)} |" for row in rows]


def coverage(figures: Figures) -> list[str]:
    """Tables without an effect that show one, by noise, method and seeds."""
    rows = [
        (kind, method, *(f"{value:.1f}" for value in of_seeds.values()))
        for kind, methods in figures["error"].items()
        for method, of_seeds in methods.items()
    ]
    seeds = next(iter(next(iter(figures["error"].values())).values()))
    heads = ("noise", "intervals", *(f"{number} seeds, %" for number in seeds))
    return [
        f"{figures['repetitions']:,} tables of {figures['rows']} rows.",
        "",
        *table(heads, rows),
    ]
