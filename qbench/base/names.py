"""Names in a sentence."""

from __future__ import annotations

from collections.abc import Sequence


def first_names(names: Sequence[str], most: int = 8) -> str:
    """The names with commas; if there are more than `most`, the first ones and a number."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
