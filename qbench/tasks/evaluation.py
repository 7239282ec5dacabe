"""Figures of merit of a classifier, from its logits."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def label_ranks(logits: NDArray[np.floating[Any]], labels: NDArray[np.int64]) -> NDArray[np.int64]:
    """How many classes score strictly higher than the label: 0 is a hit at the top.

    Args:
        logits: (N, classes).
        labels: (N,).

    Returns:
        (N,) ranks. Ties count in the label's favour, as in TensorFlow's `in_top_k`.
    """
    own = logits[np.arange(len(labels)), labels]
    ranks: NDArray[np.int64] = (logits > own[:, np.newaxis]).sum(axis=1)
    return ranks


def cross_entropy(logits: NDArray[np.floating[Any]], labels: NDArray[np.int64]) -> float:
    """Mean softmax cross-entropy in nats, computed in double precision."""
    wide = logits.astype(np.float64)
    wide -= wide.max(axis=1, keepdims=True)
    log_sums = np.log(np.exp(wide).sum(axis=1))
    return float(np.mean(log_sums - wide[np.arange(len(labels)), labels]))


def metrics(
    labels: NDArray[np.int64], predicted: NDArray[np.int64], ranks: NDArray[np.int64], classes: int
) -> dict[str, float]:
    """Percentages over N test images.

    Args:
        labels: (N,) true classes.
        predicted: (N,) classes with the largest logit.
        ranks: (N,) see `label_ranks`.
        classes: number of classes.

    Returns:
        `accuracy`; `recall_at_5`, the share of images whose label is among the five largest
        logits (slim's `Recall_5`, which the paper calls recall); `recall_macro` and
        `precision_macro`, means over the classes, a class that is never predicted having
        precision 0 and one without images being left out of recall.
    """
    confusion = np.zeros((classes, classes), np.int64)
    np.add.at(confusion, (labels, predicted), 1)
    hits = np.diag(confusion).astype(np.float64)
    present, chosen = confusion.sum(axis=1), confusion.sum(axis=0)
    recall = hits[present > 0] / present[present > 0]
    precision = np.divide(hits, chosen, out=np.zeros_like(hits), where=chosen > 0)
    return {
        "accuracy": 100.0 * float(np.mean(labels == predicted)),
        "recall_at_5": 100.0 * float(np.mean(ranks < 5)),
        "recall_macro": 100.0 * float(recall.mean()),
        "precision_macro": 100.0 * float(precision.mean()),
    }
