"""Tables in Markdown for pages that scripts write."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

Figures = dict[str, Any]


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """A Markdown table, numbers to the right of the first column."""
    lines = [f"| {' | '.join(heads)} |", "|" + " --- |" + " ---: |" * (len(heads) - 1)]
    return lines + [f"| {' | '.join(row)} |" for row in rows]


def errors(figures: Figures) -> list[str]:
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


def coverage(figures: Figures) -> list[str]:
    """The same, then the looks of `stop_when=decided` and the seeds that it takes."""
    return [
        *errors(figures),
        "",
        "A look after each seed from the third on: tables in which an interval of any look is"
        " wrong.",
        "",
        *_looks(figures["error_of_looks"]),
        "",
        "Seeds until no row is undecided (`stop_when=decided`, at most 20), and the fixed number of"
        " seeds that leaves none undecided in 90 % of the tables, by the spread of differences.",
        "",
        *_until_decided(figures["seeds_until_decided"]),
    ]


def _looks(errors: Figures) -> list[str]:
    """The errors of all looks, by noise, level and most seeds."""
    most = sorted(next(iter(next(iter(errors.values())).values())), key=int)
    rows = [
        (kind, level, *(f"{of_most[one]:.1f}" for one in most))
        for kind, levels in errors.items()
        for level, of_most in levels.items()
    ]
    return table(("noise", "level", *(f"to {number} seeds, %" for number in most)), rows)


def _until_decided(numbers: Figures) -> list[str]:
    """Numbers of seeds by spread."""
    rows = [
        (
            f"{spread} points",
            f"{one['mean']:.1f}",
            f"{one['undecided']:.1f}",
            "more" if one["fixed"] is None else f"{one['fixed']:.0f}",
        )
        for spread, one in numbers.items()
    ]
    return table(("spread", "seeds on average", "undecided at the last, %", "fixed seeds"), rows)
