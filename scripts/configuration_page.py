"""Writes the tables of docs/configuration.md from the settings as they are declared, and conf/.

    python scripts/configuration_page.py

The page's own text stays as it is: a table stands between `<!-- NAME -->` and `<!-- end -->`, and
only what is between is replaced.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from qbench.base.checks import show
from qbench.base.setting import UNSET, Setting
from qbench.cli.known import groups
from qbench.planning.factors import FACTORS
from qbench.planning.settings import SETTINGS

PAGE = Path(__file__).parent.parent / "docs" / "configuration.md"

HOLDS = {
    "study": "a choice in every other group ([studies](studies.md))",
    "data": "images and their preparation",
    "model": "builder and its arguments",
    "quant": "simulated quantization",
    "quant/scheme": "the quantization scheme and its arguments",
    "train": "length, optimizer, schedule",
    "train/optimizer": "the optimizer and its arguments",
    "train/schedule": "the schedule of the learning rate and its arguments",
    "design": "how factors vary",
}
ORDER = ("data", "model", "quant", "train", "eval", "deploy", "design", "stats", "study", "")


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """A Markdown table."""
    lines = [f"| {' | '.join(heads)} |", f"|{' --- |' * len(heads)}"]
    return lines + [f"| {' | '.join(row)} |" for row in rows]


def choices() -> list[str]:
    """The groups and the files of each."""
    found = groups()
    assert set(found) == set(HOLDS), "HOLDS has a sentence for every group of conf/"
    rows = [
        (f"`{group}`", ", ".join(f"`{name}`" for name in found[group]), holds)
        for group, holds in HOLDS.items()
    ]
    return table(("group", "choices", "what it holds"), rows)


def settings() -> list[str]:
    """Every setting, group by group."""
    rows = [
        (f"`{one.key}`", default(one), one.check.describe(), one.effect, one.help)
        for one in sorted(SETTINGS, key=lambda one: ORDER.index(one.group))
    ]
    return table(("key", "default", "allowed", "takes effect", "meaning"), rows)


def default(setting: Setting) -> str:
    """The declared default; nothing where a file must give the value."""
    return "" if setting.default is UNSET else f"`{show(setting.default)}`"


def factors() -> list[str]:
    """The factors of the paper."""
    rows = [
        (f"`{one.key}`", f"`{one.column}`", ", ".join(f"`{show(level)}`" for level in one.levels))
        for one in FACTORS
    ]
    return table(("factor", "column", "the paper's levels, the default first"), rows)


TABLES = {"groups": choices, "settings": settings, "factors": factors}


def filled(page: str) -> str:
    """The page with every table as it is now."""
    for name, lines in TABLES.items():
        block = "\n".join([f"<!-- {name} -->", *lines(), "<!-- end -->"])
        pattern = rf"<!-- {name} -->.*?<!-- end -->"
        page, count = re.subn(pattern, lambda _, block=block: block, page, flags=re.DOTALL)
        assert count == 1, f"the page has one place for {name}"
    return page


if __name__ == "__main__":
    PAGE.write_text(filled(PAGE.read_text()))
