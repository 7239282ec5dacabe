"""Names with wildcards, as a setting gives them: `*` is any text, `?` one character."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase

from qbench.base.errors import QbenchError
from qbench.base.registry import nearest

EVERY = ("*",)
_SHOWN = 8  # names in a message


def matches(name: str, patterns: Sequence[str]) -> bool:
    """Whether a name matches one of these patterns."""
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def check_each_matches(
    key: str, patterns: Sequence[str], names: Sequence[str], described: str
) -> None:
    """Check that each pattern matches a name.

    Args:
        key: the key of the setting.
        patterns: the patterns.
        names: all names.
        described: what the names are of, such as `layer with weights`.

    Raises:
        QbenchError: a pattern matches no name.
    """
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name in names):
            raise QbenchError(
                f"{key}={pattern} matches no {described}; there are {listed(names)}."
                f"{nearest(pattern, names)}"
            )


def listed(names: Sequence[str]) -> str:
    """The names; only some of many."""
    if len(names) <= _SHOWN:
        return ", ".join(names) or "none"
    return f"{', '.join(names[: _SHOWN - 1])}, ... {names[-1]}"
