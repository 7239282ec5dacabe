"""Calls the reader of a data set, which may be the user's own code."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from qbench.base.errors import QbenchError
from qbench.base.foreign import called
from qbench.data.arrays import ORDER

Arrays = tuple[Any, Any, Any, Any]


def returned(name: str, read: Callable[[Path | None], Any], folder: Path | None) -> Arrays:
    """Training images, training labels, test images and test labels from the reader.

    Args:
        name: the name of the data set, for error messages.
        read: the reader. It returns the four in this order, or in Keras' form ((training images,
            labels), (test images, labels)).
        folder: the argument of `read`.

    Raises:
        QbenchError: the reader raised an exception, or returned another form. For an exception that
            is not a QbenchError, the message gives its text and its place in the code.
    """
    result = called(f"{name}: its reader", read, folder)
    if _sequence(result, 2) and all(_sequence(half, 2) for half in result):
        (train, labels), (test, test_labels) = result
        return train, labels, test, test_labels
    if _sequence(result, 4):
        train, labels, test, test_labels = result
        return train, labels, test, test_labels
    raise QbenchError(
        f"{name}: its reader returned {_form(result)}; expected four arrays, {ORDER}, or two pairs"
        " of images and labels."
    )


def _sequence(value: Any, length: int) -> bool:
    return isinstance(value, tuple | list) and len(value) == length


def _form(value: Any) -> str:
    """A returned value in words."""
    name = type(value).__name__
    if not isinstance(value, tuple | list):
        return f"something of type {name}"
    return f"a {name} of {len(value)} ({', '.join(type(item).__name__ for item in value[:6])})"
