"""A bound on what several threads hold at once."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Budget:
    """An amount of which threads hold parts; a thread waits until its part is free."""

    def __init__(self, amount: int) -> None:
        """`amount` is how much all threads may hold together."""
        self._amount = amount
        self._free = amount
        self._changed = threading.Condition()

    @contextmanager
    def taken(self, part: int) -> Iterator[None]:
        """A context that holds a part. A part larger than the whole amount is held alone."""
        part = min(part, self._amount)
        with self._changed:
            self._changed.wait_for(lambda: self._free >= part)
            self._free -= part
        try:
            yield
        finally:
            with self._changed:
                self._free += part
                self._changed.notify_all()
