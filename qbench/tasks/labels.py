"""Turns labels in the forms that readers return into indices of classes.

No value is changed or guessed. Labels in other forms are refused in one sentence.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from qbench.base.errors import QbenchError
from qbench.base.given_arrays import real_numbers, said


def class_indices(name: str, which: str, labels: NDArray[Any], classes: int) -> NDArray[np.int64]:
    """Turn labels into class indices (N,) int64 in [0, classes).

    Args:
        name: the name of the data set, for messages.
        which: `training` or `test`.
        labels: whole numbers of any type, 0 to classes - 1, of shape (N,) or (N, 1); or one-hot
            rows (N, classes). The shape (N, 1) means one label for each image, also if there is one
            class. With two classes, truth values are labels too.
        classes: the number of classes.

    Raises:
        QbenchError: the labels have another form, or a label is not in the range.
    """
    what = f"{name}: the {which} labels are {said(labels)}"
    count = len(labels)
    expected = f"expected whole numbers from 0 to {classes - 1} of shape ({count},) or ({count}, 1)"
    if classes > 1:
        expected += f", or one-hot rows of shape ({count}, {classes})"
    numbers = real_numbers(labels)
    if numbers is None:
        raise QbenchError(f"{what}; {expected}.")
    if numbers.size == count:
        numbers = numbers.reshape(count)
    elif numbers.shape == (count, classes):
        return _places(what, numbers, expected)
    else:
        raise QbenchError(f"{what}; {expected}.")
    if numbers.dtype.kind == "b" and classes != 2:
        raise QbenchError(f"{what}, truth values, which tell only two classes apart; {expected}.")
    low, high = numbers.min(), numbers.max()
    if numbers.dtype.kind == "f" and not (np.isfinite(low) and np.isfinite(high)):
        raise QbenchError(f"{what} and not all finite; {expected}.")
    if low < 0 or high >= classes:
        hint = ", so subtract 1 if they count from 1" if (low, high) == (1, classes) else ""
        raise QbenchError(
            f"{name}: {which} labels from {low} to {high}; expected 0 to {classes - 1}{hint}"
            f" (they are {said(labels)})."
        )
    result = numbers.astype(np.int64)
    wrong = np.flatnonzero(result != numbers)
    if len(wrong):
        first = wrong[0]
        raise QbenchError(
            f"{what} with fractions (number {first} is {numbers[first]}); {expected}."
        )
    return result


def _places(what: str, rows: NDArray[Any], expected: str) -> NDArray[np.int64]:
    """The index of the 1 in each one-hot row."""
    ones = (rows == 1).sum(axis=1)
    several = np.flatnonzero(ones > 1)
    if len(several) and np.all((rows == 0) | (rows == 1)):
        raise QbenchError(
            f"{what}, of which {len(several)} rows name several classes (first: row {several[0]});"
            " an image has one class here, and several classes at once need a task of your own"
            " (docs/own.md: A task)."
        )
    wrong = np.flatnonzero((ones != 1) | ((rows != 0).sum(axis=1) != 1))
    if len(wrong):
        raise QbenchError(
            f"{what}, of which {len(wrong)} rows are not a single 1 among zeros (first: row"
            f" {wrong[0]}); {expected}."
        )
    places: NDArray[np.int64] = rows.argmax(axis=1).astype(np.int64)
    return places
