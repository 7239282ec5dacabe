"""Figures of merit against scikit-learn, and ties."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import (
    accuracy_score,
    log_loss,
    precision_score,
    recall_score,
    top_k_accuracy_score,
)

from qbench.tasks.classification import cross_entropy, label_ranks
from qbench.tasks.classification import figures as shares

SEEDS = st.integers(0, 10**6)


def _made(seed: int, images: int = 200, classes: int = 10) -> tuple[Any, Any]:
    """Logits without ties that lean towards the label, and labels."""
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, classes, images)
    logits = generator.normal(size=(images, classes)).astype(np.float32)
    logits[np.arange(images), labels] += 1
    return logits, labels


def _figures(logits: Any, labels: Any, classes: int = 10) -> dict[str, float]:
    return shares(labels, logits.argmax(axis=1), label_ranks(logits, labels), classes)


@given(seed=SEEDS)
def test_figures_are_those_of_scikit_learn(seed: int) -> None:
    logits, labels = _made(seed)
    predicted, every = logits.argmax(axis=1), list(range(10))
    expected = {
        "accuracy": accuracy_score(labels, predicted),
        "recall_at_5": top_k_accuracy_score(labels, logits, k=5, labels=every),
        "recall_macro": recall_score(labels, predicted, average="macro", labels=np.unique(labels)),
        "precision_macro": precision_score(
            labels, predicted, average="macro", labels=every, zero_division=0
        ),
    }
    got = _figures(logits, labels)
    assert list(got) == list(expected)
    for name, value in expected.items():
        assert got[name] == pytest.approx(100 * value, abs=1e-9), name


@given(seed=SEEDS, shift=st.floats(-1000, 1000))
def test_cross_entropy_is_that_of_scikit_learn(seed: int, shift: float) -> None:
    logits, labels = _made(seed, images=30)
    exact = np.exp(logits.astype(np.float64))
    expected = log_loss(labels, exact / exact.sum(axis=1, keepdims=True), labels=range(10))
    assert cross_entropy(logits, labels) == pytest.approx(expected, rel=1e-9)
    assert cross_entropy(logits.astype(np.float64) + shift, labels) == pytest.approx(expected)


def test_cross_entropy_of_huge_logits_is_finite() -> None:
    logits = np.array([[3e38, 0, -3e38]], np.float32)
    assert cross_entropy(logits, np.array([0])) == 0
    assert cross_entropy(logits, np.array([2])) == pytest.approx(6e38)


def test_cross_entropy_of_even_logits() -> None:
    assert cross_entropy(np.zeros((4, 10)), np.array([0, 3, 5, 9])) == pytest.approx(np.log(10))


def test_cross_entropy_leaves_the_logits_alone() -> None:
    logits = np.array([[1.0, 2.0]])
    cross_entropy(logits, np.array([0]))
    assert logits.tolist() == [[1.0, 2.0]]


TIES: list[tuple[str, list[float], int, int]] = [
    ("alone on top", [1, 0, 0, 0], 0, 0),
    ("tied on top", [1, 1, 0, 0], 1, 0),
    ("all tied", [2, 2, 2, 2], 3, 0),
    ("second", [3, 2, 1, 0], 1, 1),
    ("tied for second", [3, 2, 2, 2], 3, 1),
    ("last", [3, 2, 1, 0], 3, 3),
    ("zeros of both signs", [0.0, -0.0, 1, 2], 1, 2),
]


@pytest.mark.parametrize(
    ("logits", "label", "rank"), [case[1:] for case in TIES], ids=[case[0] for case in TIES]
)
def test_ties_count_in_favour_of_the_label(logits: list[float], label: int, rank: int) -> None:
    assert label_ranks(np.array([logits]), np.array([label])).tolist() == [rank]


def test_fifth_of_a_tie_is_a_hit_as_in_tensorflow() -> None:
    import tensorflow as tf

    logits = np.array([[9, 8, 7, 6, 5, 5, 5, 4, 3, 2]], np.float32).repeat(10, axis=0)
    labels = np.arange(10)
    hits = label_ranks(logits, labels) < 5
    assert hits.tolist() == [True] * 7 + [False] * 3
    np.testing.assert_array_equal(hits, tf.math.in_top_k(labels, logits, 5))


def test_classes_that_never_occur() -> None:
    """Classes 0 to 3: 2 has no images and is predicted, 3 neither nor."""
    labels = np.array([0, 0, 1, 1])
    predicted = np.array([0, 2, 1, 1])
    figures = shares(labels, predicted, np.zeros(4, np.int64), 4)
    assert figures["accuracy"] == 75
    assert figures["recall_macro"] == 75  # of 0.5 and 1
    assert figures["precision_macro"] == 50  # of 1, 1, 0 and 0
    assert figures["recall_at_5"] == 100


def test_recall_at_5_counts_ranks_below_5() -> None:
    ranks = np.array([0, 4, 5, 9])
    figures = shares(np.zeros(4, np.int64), np.zeros(4, np.int64), ranks, 10)
    assert figures["recall_at_5"] == 50
