"""Calls the reader of a data set, which may be the user's own code."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from qbench.base.errors import QbenchError
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
    try:
        result = read(folder)
    except QbenchError:
        raise
    except Exception as error:
        said = ": ".join(part for part in (type(error).__name__, _line(error)) if part)
        raise QbenchError(f"{name}: its reader failed{place(error)} ({said}).") from error
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


def _line(error: Exception) -> str:
    """A message without line breaks and without the full stop at its end."""
    return " ".join(str(error).split()).removesuffix(".")


def place(error: Exception) -> str:
    """` at file:line` of an error: the innermost line of the called code; empty if it has none.

    The called code is the code in the folder of the function that the catching function called. If
    numpy raises an error, the line that called numpy is given.
    """
    frames = traceback.extract_tb(error.__traceback__)[1:]
    if not frames:
        return ""
    home = Path(frames[0].filename).parent
    own = [frame for frame in frames if home in Path(frame.filename).parents]
    frame = (own or frames)[-1]
    return f" at {frame.filename}:{frame.lineno}"
