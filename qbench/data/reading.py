"""Calls the reader of a data set, which may be the user's own code."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qbench.base.errors import QbenchError
from qbench.base.foreign import called
from qbench.data.arrays import ORDER

Arrays = tuple[Any, Any, Any, Any]
Pair = tuple[Any, Any]


@dataclass(frozen=True)
class Parts:
    """What a reader returned, each part as images and targets.

    Attributes:
        train, test: training and test part.
        validation: the validation part; None if there is none.
        note: a text that is printed with every table of these data.
        left_out: what was left out, as plain data for records.
        alike: (N,) whole numbers, the same ones for training images that `data.validation` keeps on
            one side; None if it may divide all.
    """

    train: Pair
    test: Pair
    validation: Pair | None = None
    note: str = ""
    left_out: Mapping[str, Any] = field(default_factory=dict)
    alike: NDArray[np.integer[Any]] | None = None


def returned(name: str, read: Callable[[Path | None], Any], folder: Path | None) -> Parts:
    """The parts that a reader returns.

    Args:
        name: the name of the data set, for error messages.
        read: the reader. It returns training images, training labels, test images and test labels,
            or pairs as Keras does, ((training images, labels), (test images, labels)), with the
            validation part as a third pair if there is one; or `Parts`.
        folder: the argument of `read`.

    Raises:
        QbenchError: the reader raised an exception, or returned another form. For an exception that
            is not a QbenchError, the message gives its text and its place in the code.
    """
    result = called(f"{name}: its reader", read, folder)
    if isinstance(result, Parts):
        return result
    pairs = isinstance(result, tuple | list) and all(_sequence(half, 2) for half in result)
    if pairs and len(result) in (2, 3):
        train, test, *validation = map(tuple, result)
        return Parts(train, test, *validation)  # type: ignore[arg-type]
    if _sequence(result, 4):
        train, labels, test, test_labels = result
        return Parts((train, labels), (test, test_labels))
    raise QbenchError(
        f"{name}: its reader returned {_form(result)}; expected four arrays, {ORDER}, or two or"
        " three pairs of images and labels."
    )


def _sequence(value: Any, length: int) -> bool:
    return isinstance(value, tuple | list) and len(value) == length


def _form(value: Any) -> str:
    """A returned value in words."""
    name = type(value).__name__
    if not isinstance(value, tuple | list):
        return f"something of type {name}"
    return f"a {name} of {len(value)} ({', '.join(type(item).__name__ for item in value[:6])})"
