"""Registries of named objects that a configuration can choose."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable
from typing import Generic, TypeVar

from qbench.base.errors import QbenchError

T = TypeVar("T")


def nearest(name: str, allowed: Iterable[str]) -> str:
    """` Did you mean 'x'?` for the closest allowed name, or an empty string."""
    close = difflib.get_close_matches(str(name), list(allowed), n=1)
    return f" Did you mean '{close[0]}'?" if close else ""


class Registry(Generic[T]):
    """Maps the names in a configuration to the objects that they stand for.

    A name that is registered twice is a programming error (ValueError). An unknown name is a
    mistake of the user (QbenchError).
    """

    def __init__(self, key: str) -> None:
        """`key` is the configuration key whose values are these names, for messages."""
        self.key = key
        self._items: dict[str, T] = {}

    def register(self, name: str) -> Callable[[T], T]:
        """Decorator that stores the decorated object under `name`."""

        def store(item: T) -> T:
            self.add(name, item)
            return item

        return store

    def add(self, name: str, item: T) -> None:
        """Store `item` under `name`."""
        if name in self._items:
            raise ValueError(f"{self.key}: '{name}' is registered twice")
        self._items[name] = item

    def names(self) -> tuple[str, ...]:
        """All names, in the order of registration."""
        return tuple(self._items)

    def __getitem__(self, name: str) -> T:
        """The item with this name; QbenchError with the allowed names if there is none."""
        if name not in self._items:
            raise QbenchError(
                f"{self.key}={name} is not known; allowed: {', '.join(self._items)}."
                f"{nearest(name, self._items)}"
            )
        return self._items[name]
