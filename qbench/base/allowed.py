"""The allowed values of a setting: the check, the stored form and the text for the docs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from qbench.base import checks

Read = Callable[[str, Any], Any]
"""(key, value) -> the value in its stored form; QbenchError if the value is not allowed."""


class Registered(Protocol):
    """A registry whose names are the allowed values; names may be added later."""

    key: str

    def accepts(self, name: Any) -> bool:
        """Whether a name is allowed."""

    def names(self) -> tuple[str, ...]:
        """All names."""


Names = Registered | Callable[[], tuple[str, ...]] | tuple[str, ...]
"""A tuple of names, or a registry or a function that returns the names of that moment."""


@dataclass(frozen=True)
class Allowed:
    """The values of a setting.

    Attributes:
        read: checks a value and returns it in its stored form.
        describe: describes the allowed values in Markdown.
        kind: `value` or `list`; `text` or `folder` for any text of the user; `path` for a value
            that may be the path of a file; `row` for the name of a row, such as `quant.bits=4`.
        registry: the key of the registry that has the names; empty if the values are no names.
    """

    read: Read
    describe: Callable[[], str]
    kind: str = "value"
    registry: str = ""

    @property
    def or_null(self) -> Allowed:
        """The same values, or None."""
        return Allowed(
            lambda key, value: None if value is None else self.read(key, value),
            lambda: f"{self.describe()}, or null",
            self.kind,
            self.registry,
        )


def whole_or(word: str, low: int) -> Allowed:
    """A whole number from low on, or a word that stands for one."""

    def read(key: str, value: Any) -> Any:
        if value == word:
            return word
        if isinstance(value, bool) or not isinstance(value, int) or value < low:
            raise checks.wrong(key, value, f"a whole number of at least {low}, or {word}")
        return value

    return Allowed(read, lambda: f"{_span(low, None)}, or `{word}`")


def whole(low: int, high: int | None = None) -> Allowed:
    """A whole number from low to high, both included."""

    def read(key: str, value: Any) -> int:
        checks.whole(key, value, low, high)
        return int(value)

    return Allowed(read, lambda: _span(low, high))


def number(low: float, high: float | None = None, open_end: bool = False) -> Allowed:
    """A finite number from low to high; with `open_end`, below high.

    It is stored as a float, so that 0 and 0.0 give the same identity.
    """

    def read(key: str, value: Any) -> float:
        checks.number(key, value, low, high, open_end)
        return float(value)

    return Allowed(read, lambda: _span(low, high) + (f", without {high}" if open_end else ""))


def whole_numbers(
    described: str, example: str, low: int, high: int | None = None, *, may_be_empty: bool = False
) -> Allowed:
    """A list of whole numbers without repeats, or one of them; it is stored as a tuple.

    Args:
        described: the description of the values.
        example: a list, for messages.
        low: the smallest number.
        high: the largest number; None for no limit.
        may_be_empty: whether the list may be empty.
    """

    def read(key: str, value: Any) -> tuple[int, ...]:
        found = [value] if isinstance(value, int) and not isinstance(value, bool) else value
        if not isinstance(found, list | tuple) or not (found or may_be_empty):
            raise checks.wrong(key, value, f"a list of whole numbers such as {example}")
        for one in found:
            checks.whole(key, one, low, high)
        if len(set(found)) < len(found):
            raise checks.wrong(key, value, "a list without repeats")
        return tuple(found)

    return Allowed(read, lambda: described, "list")


def share_or_count() -> Allowed:
    """A share, a float between 0 and 1, or a number of things, a whole number from 1."""

    def read(key: str, value: Any) -> Any:
        checks.share_or_count(key, value)
        return value

    return Allowed(read, lambda: "share between 0 and 1, or number from 1")


def _span(low: float, high: float | None) -> str:
    return f"{low} and up" if high is None else f"{low} to {high}"


def switch() -> Allowed:
    """True or False."""

    def read(key: str, value: Any) -> Any:
        checks.boolean(key, value)
        return value

    return Allowed(read, lambda: "true, false")


def one_of(names: Names, spelled: Callable[[Any], Any] | None = None) -> Allowed:
    """One of a few names.

    Args:
        names: the names, or a registry or a function that returns them.
        spelled: turns values that YAML does not read as text, such as 8 or `on`, into text.
    """

    def read(key: str, value: Any) -> Any:
        value = spelled(value) if spelled else value
        if not _accepts(names, value):
            checks.one_of(key, value, _names(names))
        return value

    return Allowed(read, lambda: _listed(names), registry=_key(names))


def list_of(names: Names) -> Allowed:
    """A list of one or more names without repeats; it is stored as a tuple."""

    def read(key: str, value: Any) -> Any:
        more = [one for one in value if _accepts(names, one)] if isinstance(value, list) else []
        checks.list_of(key, value, dict.fromkeys((*_names(names), *more)))
        return tuple(value)

    return Allowed(read, lambda: f"list of {_listed(names)}", "list", _key(names))


def _accepts(names: Names, name: Any) -> bool:
    """Whether a registry accepts a name, which it may not list."""
    return not isinstance(names, tuple) and not callable(names) and names.accepts(name)


def _key(names: Names) -> str:
    return "" if isinstance(names, tuple) or callable(names) else names.key


def _names(names: Names) -> tuple[str, ...]:
    if isinstance(names, tuple):
        return names
    return names() if callable(names) else names.names()


def _listed(names: Names) -> str:
    return ", ".join(f"`{name}`" for name in _names(names))


def text_or_null(kind: str = "text") -> Allowed:
    """A string or None; `kind` is `text`, `folder` or `row`."""

    def read(key: str, value: Any) -> Any:
        checks.text_or_null(key, value)
        if value == "" and kind == "folder":
            raise checks.wrong(key, value, "a folder or null, not an empty text")
        return value

    return Allowed(read, lambda: f"{kind} or null", kind)


def name(registry: str = "") -> Allowed:
    """A name; the code that uses it looks it up in the registry with this key."""

    def read(key: str, value: Any) -> Any:
        if not isinstance(value, str):
            raise checks.wrong(key, value, "a name")
        return value

    return Allowed(read, lambda: "name", registry=registry)


def file(*names: str) -> Allowed:
    """The path of a file, or one of a few names; the code that uses it reads the file."""

    def read(key: str, value: Any) -> Any:
        if not isinstance(value, str) or not value:
            raise checks.wrong(key, value, "the path of a file")
        return value

    listed = "".join(f"`{name}`, " for name in names)
    return Allowed(read, lambda: f"{listed}or path of a file", "path")


def patterns() -> Allowed:
    """A list of texts, or one text; it is stored as a sorted tuple without repeats."""

    def read(key: str, value: Any) -> Any:
        found = [value] if isinstance(value, str) else value
        fits = isinstance(found, list | tuple) and all(isinstance(v, str) and v for v in found)
        if not fits:
            raise checks.wrong(key, value, "a list of names such as [stem,stage1_*]")
        return tuple(sorted(set(found)))

    return Allowed(read, lambda: "list of names, with `*` and `?`", "list")


def anything(text: str, registry: str = "") -> Allowed:
    """Any value; the code that uses it checks it. `text` describes it; see `name`."""
    return Allowed(lambda key, value: value, lambda: text, registry=registry)
