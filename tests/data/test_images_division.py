"""The division of one tree: exact, stratified, by content."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from qbench.base.errors import QbenchError
from qbench.data.images.division import TEST, TRAIN, VALIDATION, divided
from qbench.data.images.options import Options

SHARES = (0.7, 0.1, 0.2)


def parts_of(counts: list[int], shares: Any = SHARES, seed: int = 0) -> NDArray[np.int64]:
    """(classes, 3): the images of each class in each part."""
    labels = np.repeat(np.arange(len(counts)), counts)
    names = [f"{label} {number}" for number, label in enumerate(labels)]
    parts = divided(names, labels, shares, seed)
    return np.array([np.bincount(parts[labels == k], minlength=3) for k in range(len(counts))])


def test_each_class_gives_its_exact_share() -> None:
    assert parts_of([100, 10, 50]).tolist() == [[70, 20, 10], [7, 2, 1], [35, 10, 5]]
    assert parts_of([100, 10], (0.8, 0.0, 0.2)).tolist() == [[80, 20, 0], [8, 2, 0]]


def test_shares_that_do_not_divide_are_exact_in_all() -> None:
    found = parts_of([7] * 30)
    assert found.sum(axis=0).tolist() == [147, 42, 21]
    assert found.min(axis=0).tolist() == [4, 1, 0] and found.max(axis=0).tolist() == [5, 2, 1]


@pytest.mark.parametrize("shares", [SHARES, (0.1, 0.1, 0.8), (0.1, 0.8, 0.1)])
def test_every_class_keeps_a_training_image(shares: Any) -> None:
    found = parts_of([1, 2, 3, 1, 40], shares)
    assert found[:, TRAIN].min() == 1
    assert found[[0, 3]].tolist() == [[1, 0, 0]] * 2
    assert found[4, TEST] == round(40 * shares[2])


def test_the_content_decides_whatever_the_order() -> None:
    names = [f"n{number}" for number in range(60)]
    labels = np.arange(60) % 3
    known = dict(zip(names, divided(names, labels, SHARES, 0), strict=True))
    order = np.random.default_rng(0).permutation(60)
    mixed = [names[k] for k in order]
    assert known == dict(zip(mixed, divided(mixed, labels[order], SHARES, 0), strict=True))
    other = dict(zip(names, divided(names, labels, SHARES, 1), strict=True))
    assert other != known
    assert {VALIDATION, TEST, TRAIN} == set(known.values())


@pytest.mark.parametrize(
    "value",
    ["0.8", [1.0], [0.5, 0.6], [0.8, 0.1, 0.05], [1.0, 0.0], [0.0, 0.5, 0.5], [0.5, 0.7, -0.2],
     [True, False, True], [0.25] * 4, [float("nan"), 0.5], {"train": 0.8}],
)  # fmt: skip
def test_other_shares_are_refused(value: Any) -> None:
    with pytest.raises(QbenchError, match=r"^data\.split=.* is not allowed: expected null, or the"):
        Options(split=value)


def test_shares_of_two_parts_have_no_validation() -> None:
    assert Options(split=[0.8, 0.2]).split == (0.8, 0.0, 0.2)
    assert Options(split=[0.7, 0.1, 0.2]).split == SHARES
