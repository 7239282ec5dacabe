"""Outputs of several networks combined to those of an ensemble, against plain formulas."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from regression_task import Regression

from qbench.tasks.classification import Classification


def logits(members: int, scale: float) -> list[Any]:
    random = np.random.default_rng(members)
    return [random.normal(0, scale, (50, 10)).astype(np.float32) for _ in range(members)]


def mean_probabilities(outputs: list[Any]) -> Any:
    """In the most precise numbers there are, with nothing taken out of an exponential."""
    powers = [np.exp(one.astype(np.longdouble)) for one in outputs]
    return sum(power / power.sum(axis=1, keepdims=True) for power in powers) / len(outputs)


@pytest.mark.parametrize("scale", [0.1, 3.0, 100.0])
@pytest.mark.parametrize("members", [1, 2, 3, 5])
def test_classes_have_the_mean_of_the_members_probabilities(members: int, scale: float) -> None:
    outputs = logits(members, scale)
    found = Classification(10).combined(outputs)
    assert (found.dtype, found.shape) == (np.float64, (50, 10))
    expected = mean_probabilities(outputs)
    np.testing.assert_allclose(found, np.log(expected).astype(float), rtol=1e-12, atol=1e-15)
    if scale < 100:
        np.testing.assert_array_equal(found.argmax(axis=1), expected.argmax(axis=1))


def test_the_loss_is_that_of_the_mean_probabilities() -> None:
    outputs, labels = logits(3, 3.0), np.arange(50) % 10
    task = Classification(10)
    found = task.score(task.combined(outputs), labels)
    expected = -np.log(mean_probabilities(outputs)[np.arange(50), labels]).mean()
    assert found["loss"] == pytest.approx(float(expected), rel=1e-12)


def test_the_mean_of_probabilities_is_not_that_of_logits() -> None:
    """One network is sure of class 0, two are for class 1: probabilities decide, not logits."""
    sure, other = [[30.0, 0.0, -30.0]], [[0.0, 3.0, -30.0]]
    outputs = [np.asarray(one, np.float32) for one in (sure, other, other)]
    task = Classification(3)
    assert task.combined(outputs).argmax() == 1
    assert np.mean(outputs, axis=0).argmax() == 0


def test_logits_far_apart_stay_finite() -> None:
    """Where a probability is too small for a double."""
    far = np.array([[2000.0, 0.0], [-2000.0, 0.0]], np.float32)
    found = Classification(2).combined([far, far])
    np.testing.assert_array_equal(found, [[0, -2000], [-2000, 0]])
    found = Classification(2).combined([far, -far])
    np.testing.assert_allclose(found, np.log(0.5), rtol=1e-15)


@pytest.mark.parametrize("task", [Classification(10), Regression(10)], ids=["classes", "numbers"])
def test_no_bit_depends_on_the_order_and_nothing_given_changes(task: Any) -> None:
    outputs = logits(5, 3.0)
    before = [one.copy() for one in outputs]
    found = {task.combined(order).tobytes() for order in itertools.permutations(outputs)}
    assert len(found) == 1
    assert all(map(np.array_equal, outputs, before))


def test_two_networks_sure_of_a_class_each_decide_by_the_surer() -> None:
    """The probabilities differ by a hundred-millionth; in float32 they would be equal."""
    first, second = np.float32([[18.0, 0.0]]), np.float32([[0.0, 19.0]])
    assert Classification(2).combined([first, second]).argmax() == 1


def test_no_bit_depends_on_the_order_where_a_double_rounds() -> None:
    outputs = [np.array([[value]], np.float32) for value in (2.0**60, 1.0, -(2.0**60), 3.0)]
    task = Regression(1)
    found = {task.combined(order).tobytes() for order in itertools.permutations(outputs)}
    assert len(found) == 1


def test_numbers_have_their_mean_in_double_precision() -> None:
    outputs = [np.array([[value]], np.float32) for value in (1e8, 1.0, -1e8, 5.0)]
    assert Regression(1).combined(outputs) == np.float32(1.5)
