"""Checks of single configuration values; each failure is a QbenchError of one sentence."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Iterable, Mapping
from typing import Any

from qbench.base.errors import QbenchError
from qbench.base.registry import nearest


def wrong(key: str, value: Any, allowed: str) -> QbenchError:
    """The error for a value that is not allowed."""
    return QbenchError(f"{key}={_given(value)} is not allowed: expected {allowed}.")


def show(value: Any) -> str:
    """A value as text, in the form of the command line."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple):
        return "[" + ",".join(show(item) for item in value) + "]"
    return str(value)


_OTHER = re.compile(r"[-+]?\d[\d_.]*(e[-+]?\d+)?|true|false|null|[\[{].*|", re.IGNORECASE)


def _given(value: Any) -> str:
    """Like `show`, with quotes around a text that looks like another value."""
    return f"'{value}'" if isinstance(value, str) and _OTHER.fullmatch(value) else show(value)


def whole(key: str, value: Any, low: int, high: int | None = None) -> None:
    """Check that a value is a whole number from low to high, both included."""
    if isinstance(value, bool) or not isinstance(value, int) or value < low or _above(value, high):
        span = f"of at least {low}" if high is None else f"from {low} to {high}"
        raise wrong(key, value, f"a whole number {span}")


def number(
    key: str, value: Any, low: float, high: float | None = None, open_end: bool = False
) -> None:
    """Check that a value is a finite number from low to high; with `open_end`, below high."""
    fits = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    if fits and (value < low or _above(value, high) or (open_end and value == high)):
        fits = False
    if not fits:
        span = f"of at least {low}" if high is None else f"from {low} to {high}"
        raise wrong(key, value, f"a number {span}{' (not included)' if open_end else ''}")


def share_or_count(key: str, value: Any) -> None:
    """Check that a value is a float between 0 and 1 or a whole number of at least 1."""
    share = isinstance(value, float) and 0 < value < 1
    count = isinstance(value, int) and not isinstance(value, bool) and value >= 1
    if not share and not count:
        raise wrong(key, value, "a share above 0 and below 1, or a whole number of at least 1")


def _above(value: float, high: float | None) -> bool:
    return high is not None and value > high


def boolean(key: str, value: Any) -> None:
    """Check that a value is True or False."""
    if not isinstance(value, bool):
        raise wrong(key, value, "true or false")


def text_or_null(key: str, value: Any) -> None:
    """Check that a value is a string or None."""
    if value is not None and not isinstance(value, str):
        raise wrong(key, value, "a text or null")


def one_of(key: str, value: Any, allowed: Iterable[str]) -> None:
    """Check that a value is one of the allowed names."""
    names = list(allowed)
    if value not in names:
        hint = nearest(value, names) if isinstance(value, str) else ""
        raise QbenchError(f"{key}={show(value)} is not allowed: expected {_or(names)}.{hint}")


def _or(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"


def list_of(key: str, value: Any, allowed: Iterable[str]) -> None:
    """Check that a value is a list of one or more of the allowed names, without repeats."""
    names = list(allowed)
    fits = isinstance(value, tuple | list) and value and all(item in names for item in value)
    if not fits or len(set(value)) < len(value):
        raise wrong(key, value, f"a list, without repeats, of {_or(names)}")


def known_keys(group: str, values: Mapping[str, Any], allowed: Iterable[str]) -> None:
    """Check that a group has no keys except the allowed ones."""
    names = list(allowed)
    for key in values:
        if key not in names:
            close = difflib.get_close_matches(str(key), names, n=1)
            hint = f"; did you mean {_dotted(group, close[0])}?" if close else "."
            raise QbenchError(
                f"{_dotted(group, key)} is not a setting{hint} Allowed: {', '.join(names)}."
            )


def required_keys(group: str, values: Mapping[str, Any], needed: Iterable[str]) -> None:
    """Check that a group has all keys that it needs."""
    for key in needed:
        if key not in values:
            raise QbenchError(f"{_dotted(group, key)} is missing; give it a value.")


def group_of_settings(key: str, value: Any) -> Mapping[str, Any]:
    """The value, if it is a group of settings, else QbenchError."""
    if not isinstance(value, Mapping):
        raise wrong(key, value, "a group of settings, chosen by its name")
    return value


def _dotted(group: str, key: Any) -> str:
    return f"{group}.{key}" if group else str(key)
