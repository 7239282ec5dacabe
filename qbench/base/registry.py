"""Registries of named objects that a configuration can choose.

A name is registered in qbench, registered by a plugin, or refers to code from outside
(`qbench.base.outside`).
"""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, ClassVar, Generic, TypeVar, cast

from qbench.base import outside
from qbench.base.errors import QbenchError
from qbench.base.outside.objects import object_of
from qbench.base.outside.plugins import PLUGINS

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

    by_key: ClassVar[dict[str, Registry[Any]]] = {}

    def __init__(
        self, key: str, kind: Any = object, outside: bool = True, functions: bool = False
    ) -> None:
        """An empty registry.

        Args:
            key: the configuration key whose values are these names, for messages.
            kind: the type that code from outside must have. A function without arguments that
                returns it is accepted, too.
            outside: whether names may refer to code from outside.
            functions: whether a function with arguments that returns the type may stand there, too.
        """
        self.key = key
        self._kind = kind
        self._outside = outside
        self._functions = functions
        self._items: dict[str, T] = {}
        Registry.by_key.setdefault(key, self)

    def register(self, name: str) -> Callable[[T], T]:
        """Decorator that stores the decorated object under `name`."""

        def store(item: T) -> T:
            self.add(name, item)
            return item

        return store

    def add(self, name: str, item: T) -> None:
        """Store `item` under `name`.

        Raises:
            ValueError: the name is registered already. If a plugin has registered it, nobody has
                this name any longer: which one is meant cannot be told.
            TypeError: the item has another type than the items of this registry.
        """
        if name in self._items:
            if PLUGINS.origins.pop((self.key, name), None):
                del self._items[name]
            raise ValueError(f"{self.key}: '{name}' is registered twice")
        function = self._functions and inspect.isfunction(item)
        if not isinstance(item, self._kind) and not function:
            raise TypeError(
                f"{self.key}: '{name}' is of type {type(item).__name__}; expected"
                f" {self._kind.__name__}"
            )
        if outside.is_reference(name):
            raise ValueError(f"{self.key}: '{name}' has a colon, as references have")
        self._items[name] = item
        if not _called_by_qbench():
            PLUGINS.note(self.key, name, lambda: self._items.pop(name, None))

    @contextmanager
    def lent(self, name: str, item: T) -> Iterator[None]:
        """`name` stands for `item` inside this context, also if it is already registered."""
        known, before = name in self._items, self._items.get(name)
        self._items[name] = item
        try:
            yield
        finally:
            if known:
                self._items[name] = cast(T, before)  # in its place in the order
            else:
                del self._items[name]

    def names(self) -> tuple[str, ...]:
        """All registered names, in the order of registration."""
        return tuple(self._items)

    def refers_outside(self, name: object) -> bool:
        """Whether a name refers to code from outside."""
        return self._outside and outside.is_reference(name)

    def accepts(self, name: Any) -> bool:
        """Whether a name is registered, also by a plugin, or may refer to code from outside."""
        if self.refers_outside(name):
            return True
        if not isinstance(name, str):
            return False
        if name not in self._items:
            PLUGINS.load()
        return name in self._items

    def __getitem__(self, name: str) -> T:
        """The item with this name.

        Raises:
            QbenchError: the name is unknown (the message has the allowed names), or what it refers
                to cannot be used.
        """
        if name in self._items:
            return self._items[name]
        PLUGINS.load()
        if self.refers_outside(name):
            return object_of(self.key, name, self._kind, self._functions)  # type: ignore[no-any-return]
        if name not in self._items:
            raise QbenchError(self.unknown(name))
        return self._items[name]

    def unknown(self, name: str) -> str:
        """The error message for an unknown name."""
        allowed = ", ".join(self._items) + (f" or {outside.FORMS}" if self._outside else "")
        broken = "".join(f" {sentence}" for sentence in PLUGINS.broken)
        return (
            f"{self.key}={name} is not known; allowed: {allowed}."
            f"{nearest(name, self._items)}{broken}"
        )


def _called_by_qbench() -> bool:
    """Whether the code that registers something is qbench's own.

    A plugin may be the first to import a package of qbench, which then registers its own things.
    """
    frame = inspect.currentframe()
    while frame and frame.f_globals.get("__name__") == __name__:
        frame = frame.f_back
    name = frame.f_globals.get("__name__", "") if frame else ""
    return str(name).partition(".")[0] == "qbench"


def code_behind(key: str, name: str) -> outside.Code | None:
    """The content of the code from outside that a name stands for; None for qbench's own names.

    Nothing is imported, except plugins.

    Args:
        key: the key of the registry. A registry whose module is not imported may have the name.
        name: the name.

    Raises:
        QbenchError: the name refers to code from outside that cannot be read.
    """
    registry = Registry.by_key.get(key)
    refers = outside.is_reference if registry is None else registry.refers_outside
    if refers(name):
        return outside.code(key, name)
    if registry is None or name not in registry.names():
        PLUGINS.load()
    return PLUGINS.origins.get((key, name))
