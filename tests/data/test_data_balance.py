"""Weights of classes, and batches in which all classes are equally frequent."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from regression_task import Regression

from qbench.base.errors import QbenchError
from qbench.data import Dataset
from qbench.data.balance import BalancedBatches, batches_of, check_classes, example_weights
from qbench.data.batches import Batches
from qbench.tasks.classification import Classification

LABELS = np.repeat([0, 1, 3], [60, 30, 10])  # class 2 has no image


def _data(labels: Any = LABELS, task: Any = None) -> Dataset:
    images = np.zeros((len(labels), 2, 2, 1), np.uint8)
    return Dataset("mine", images, labels, images, labels, task or Classification(4), False, "", "")


def _chosen(weights: str = "none", balanced: bool = False) -> Any:
    return SimpleNamespace(class_weights=weights, balanced_batches=balanced, batch_size=8)


def test_balanced_weights_by_hand() -> None:
    weights = example_weights(_chosen("balanced"), _data())
    assert weights is not None
    expected = np.repeat([100 / (3 * 60), 100 / (3 * 30), 100 / (3 * 10)], [60, 30, 10])
    np.testing.assert_allclose(weights, expected, rtol=1e-6)
    assert weights.mean() == pytest.approx(1)
    assert example_weights(_chosen(), _data()) is None


@pytest.mark.parametrize(
    ("chosen", "key"),
    [
        (_chosen("balanced"), "train.class_weights=balanced"),
        (_chosen(balanced=True), "train.balanced_batches=true"),
    ],
)
def test_a_task_without_classes_is_refused(chosen: Any, key: str) -> None:
    data = _data(LABELS.astype(np.float32), Regression(1))
    with pytest.raises(QbenchError, match=f"^{key}: the task regression of mine divides its im"):
        check_classes(chosen, data)
    check_classes(_chosen(), data)
    check_classes(chosen, _data())


CLASSES = st.lists(st.integers(1, 12), min_size=1, max_size=6)
SEED = st.integers(0, 2**31 - 1)


def _laid_end_to_end(classes: Any, size: int, seed: int, steps: int) -> Any:
    batches = BalancedBatches(classes, size, seed)
    return np.concatenate([batches.indices(step) for step in range(steps)])


@given(sizes=CLASSES, size=st.integers(1, 9), seed=SEED)
def test_every_round_has_every_class_once_and_every_epoch_of_a_class_each_image(
    sizes: list[int], size: int, seed: int
) -> None:
    classes = np.random.default_rng(seed).permutation(np.repeat(np.arange(len(sizes)), sizes))
    rounds = 2 * max(sizes)
    steps = -(-rounds * len(sizes) // size)
    indices = _laid_end_to_end(classes, size, seed, steps)[: rounds * len(sizes)]
    turns = classes[indices].reshape(rounds, len(sizes))
    np.testing.assert_array_equal(np.sort(turns, axis=1), [list(range(len(sizes)))] * rounds)
    for one, count in enumerate(sizes):
        taken = indices[classes[indices] == one]
        for epoch in range(rounds // count):
            images = taken[epoch * count : (epoch + 1) * count]
            np.testing.assert_array_equal(np.sort(images), np.flatnonzero(classes == one))


@given(sizes=CLASSES, seed=SEED, steps=st.lists(st.integers(0, 10**6), min_size=1, max_size=4))
def test_a_batch_depends_on_seed_and_step_alone(
    sizes: list[int], seed: int, steps: list[int]
) -> None:
    classes = np.repeat(np.arange(len(sizes)), sizes)
    kept = BalancedBatches(classes, 7, seed)
    for step in steps:
        fresh = BalancedBatches(classes, 7, seed)
        np.testing.assert_array_equal(kept.indices(step), fresh.indices(step))


def test_seeds_classes_and_epochs_have_orders_of_their_own() -> None:
    classes = np.repeat([0, 1], [40, 40])
    one, other = (_laid_end_to_end(classes, 80, seed, 2) for seed in (0, 1))
    assert (one != other).any()
    epochs = one[classes[one] == 0].reshape(2, 40)
    assert (epochs[0] != epochs[1]).any()
    assert (epochs[0] != one[classes[one] == 1][:40] - 40).any()


def test_which_batches_a_run_has() -> None:
    assert isinstance(batches_of(_chosen(balanced=True), _data(), 0), BalancedBatches)
    plain = batches_of(_chosen(), _data(), 3)
    np.testing.assert_array_equal(plain.indices(5), Batches(100, 8, 3).indices(5))


def test_names_of_strata_need_not_be_numbers() -> None:
    class Named(Classification):
        def strata(self, targets: Any) -> Any:
            return np.array(["cat", "dog"])[(targets > 0).astype(int)]

    data = replace(_data(), task=Named(4))
    weights = example_weights(_chosen("balanced"), data)
    assert weights is not None
    np.testing.assert_allclose(weights[[0, 60, 99]], [100 / 120, 100 / 80, 100 / 80], rtol=1e-6)
