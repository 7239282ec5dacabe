"""What is said of labels that are none, to the letter."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from qbench.base.errors import QbenchError
from qbench.tasks.labels import class_indices

WHOLE = "expected whole numbers from 0 to {} of shape (3,) or (3, 1)"
ONE_HOT = WHOLE + ", or one-hot rows of shape (3, {})"
SAID: dict[str, tuple[Any, int, str]] = {
    "texts": (
        ["a", "b", "c"],
        1,
        "mine: the test labels are text (<U1) of shape (3,); " + WHOLE.format(0),
    ),
    "texts of two classes": (
        ["a", "b", "c"],
        2,
        "mine: the test labels are text (<U1) of shape (3,); " + ONE_HOT.format(1, 2),
    ),
    "several classes": (
        [[0, 1, 0], [0, 0, 0], [1, 1, 0]],
        3,
        "mine: the test labels are int64 of shape (3, 3), of which 1 rows name several classes"
        " (first: row 2); an image has one class here, and several classes at once need a task of"
        " your own (docs/own.md: A task)",
    ),
    "no single 1": (
        [[0, 1, 0], [0, 0, 0], [2, 1, 0]],
        3,
        "mine: the test labels are int64 of shape (3, 3), of which 2 rows are not a single 1 among"
        " zeros (first: row 1); " + ONE_HOT.format(2, 3),
    ),
    "another shape": (
        [[0, 1], [1, 0], [0, 1]],
        3,
        "mine: the test labels are int64 of shape (3, 2); " + ONE_HOT.format(2, 3),
    ),
    "truth values": (
        [True, False, True],
        3,
        "mine: the test labels are bool of shape (3,), truth values, which tell only two classes"
        " apart; " + ONE_HOT.format(2, 3),
    ),
    "not finite": (
        [0.0, np.nan, 1.0],
        2,
        "mine: the test labels are float64 of shape (3,) and not all finite; "
        + ONE_HOT.format(1, 2),
    ),
    "from one": (
        [1, 2, 3],
        3,
        "mine: test labels from 1 to 3; expected 0 to 2, so subtract 1 if they count from 1 (they"
        " are int64 of shape (3,))",
    ),
    "one too many": (
        [0, 2, 3],
        3,
        "mine: test labels from 0 to 3; expected 0 to 2 (they are int64 of shape (3,))",
    ),
    "one and too few": (
        [1, 1, 2],
        2,
        "mine: test labels from 1 to 2; expected 0 to 1, so subtract 1 if they count from 1 (they"
        " are int64 of shape (3,))",
    ),
    "negative": (
        [-1, 0, 1],
        2,
        "mine: test labels from -1 to 1; expected 0 to 1 (they are int64 of shape (3,))",
    ),
    "fractions": (
        [0.0, 0.5, 0.25],
        2,
        "mine: the test labels are float64 of shape (3,) with fractions (number 1 is 0.5); "
        + ONE_HOT.format(1, 2),
    ),
}


@pytest.mark.parametrize(("labels", "classes", "said"), SAID.values(), ids=SAID.keys())
def test_a_refusal_says_what_was_seen_and_what_is_expected(
    labels: Any, classes: int, said: str
) -> None:
    with pytest.raises(QbenchError) as error:
        class_indices("mine", "test", np.asarray(labels), classes)
    assert str(error.value) == f"{said}."


@pytest.mark.parametrize(
    ("labels", "classes"),
    [
        ([False, True], 2),
        ([[0.0], [2.0]], 3),
        ([[0.0, 1.0], [1.0, 0.0]], 2),
        (np.array([0, 255], np.uint8), 256),
        ([0], 1),
    ],
    ids=["truth values", "a column", "one-hot rows", "bytes", "one class"],
)
def test_labels_are_taken_as_they_are(labels: Any, classes: int) -> None:
    given = np.asarray(labels)
    found = class_indices("mine", "test", given, classes)
    assert (found.dtype, found.shape) == (np.int64, (len(given),))
    expected = given[:, 1] if given.shape == (2, 2) else given.reshape(-1)
    assert found.tolist() == expected.astype(int).tolist()
