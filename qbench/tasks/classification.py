"""One class for each image, from logits (N, classes)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qbench.tasks.labels import class_indices
from qbench.tasks.metric import Metric
from qbench.tasks.task import Task, Values

_LARGEST = {
    1: "has the largest logit",
    2: "is among the two largest logits",
    3: "is among the three largest logits",
    4: "is among the four largest logits",
    5: "is among the five largest logits",
}
_PAPER = (
    ' It is what Kwasniewska et al. 2019 call "recall": their evaluation script printed accuracy'
    " and Recall_5, and on a balanced test set recall averaged over the classes equals accuracy."
)
_MACRO = " The class-averaged (macro) recall stands beside it."


class Classification(Task):
    """One class for each image; targets (N,) int64, outputs (N, classes) logits.

    Attributes:
        k: the k of recall@k. It is 5; with fewer than six classes it is the number of classes
            minus 1, but at least 1.
    """

    name = "classification"
    output_name = "logits"
    prediction_name = "class"
    loss_name = "softmax cross-entropy"
    decided = "whose two largest logits are more than {} steps apart"

    def __init__(self, outputs: int) -> None:
        """`outputs` is the number of classes."""
        super().__init__(outputs)
        self.k = max(1, min(5, outputs - 1))

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """Percentages over the test images, and the loss in nats.

        `accuracy`; `recall_at_k`, the share of images whose label is among the k largest logits
        (for k = 5 this is slim's `Recall_5`, which the paper calls recall); `recall_macro` and
        `precision_macro`, means over the classes; `loss`.
        """
        note = f"Recall@{self.k} is the share of test images whose label {_LARGEST[self.k]}."
        note += (_PAPER if self.k == 5 else "") + _MACRO
        return (
            Metric("accuracy", "accuracy", "%", 2, True, "first"),
            Metric(f"recall_at_{self.k}", f"recall@{self.k}", "%", 2, True, "first", note),
            Metric("recall_macro", "recall, macro", "%", 2, True),
            Metric("precision_macro", "precision, macro", "%", 2, True, "file"),
            Metric("loss", "loss", "", 4, False),
        )

    def targets(self, name: str, which: str, values: Values) -> Values:
        """The labels (N,) int64 in [0, classes); see `qbench.tasks.labels.class_indices`."""
        return class_indices(name, which, values, self.outputs)

    def strata(self, targets: Values) -> Values | None:
        """The classes."""
        return targets

    def check_shape(self, output: Any) -> None:
        """Check that an output is (None, classes); see `qbench.tasks.logits`."""
        from qbench.tasks.logits import check_shape

        check_shape(output, self.outputs)

    def check_output(self, model: Any, calls: Any, end: Any, shape: tuple[int, int, int]) -> None:
        """Check that a network returns a logit for each class; see `qbench.tasks.logits`."""
        from qbench.tasks.logits import check_logits

        check_logits(model, calls, end, shape, self.outputs)

    def loss(self, outputs: Any, targets: Any) -> Any:
        """Softmax cross-entropy of each example in nats, (B,) float32."""
        import tensorflow as tf

        return tf.nn.sparse_softmax_cross_entropy_with_logits(targets, outputs)

    def predictions(self, outputs: Values, targets: Values) -> dict[str, Values]:
        """`label`, `predicted` and `rank`, (N,) each; see `label_ranks`."""
        small = np.uint16 if self.outputs > 256 else np.uint8
        predicted, ranks = outputs.argmax(axis=1), label_ranks(outputs, targets)
        arrays = {"label": targets, "predicted": predicted, "rank": ranks}
        return {key: array.astype(small) for key, array in arrays.items()}

    def per_image(self, predictions: Mapping[str, Values]) -> tuple[Metric, Values] | None:
        """Accuracy: whether the predicted class of each image is its label."""
        return self.metrics[0], predictions["label"] == predictions["predicted"]

    def score(self, outputs: Values, targets: Values) -> dict[str, float]:
        """The metrics; see `figures` and `cross_entropy`."""
        predicted, ranks = outputs.argmax(axis=1), label_ranks(outputs, targets)
        found = figures(targets, predicted, ranks, self.outputs, self.k)
        return found | {"loss": cross_entropy(outputs, targets)}

    def combined(self, outputs: Sequence[Values]) -> Values:
        """The logarithm of the mean probability of each class, (N, classes) float64.

        Probabilities are softmaxes of logits. The softmax of the result is the mean of the
        networks' probabilities, so that loss, ranks and predictions are computed as from logits.
        In float32, two classes would often be equal if two networks are sure of one each.
        """
        wide = np.stack(outputs).astype(np.float64)
        wide -= wide.max(axis=-1, keepdims=True)
        wide -= np.log(np.exp(wide).sum(axis=-1, keepdims=True))
        # A sum in ascending order has the same bits for every order of the networks.
        wide.sort(axis=0)
        # Divided by the largest probability, so that no sum is 0.
        combined: Values = np.log(np.exp(wide - wide[-1]).mean(axis=0)) + wide[-1]
        return combined

    def agree(self, outputs: Values, expected: Values) -> NDArray[Any]:
        """Whether the largest logits of both belong to the same class."""
        same: NDArray[Any] = outputs.argmax(axis=1) == expected.argmax(axis=1)
        return same

    def margins(self, outputs: Values) -> NDArray[Any] | None:
        """The largest logit minus the second largest; None if there is only one class."""
        if self.outputs < 2:
            return None
        return np.asarray(np.ptp(np.sort(outputs, axis=1)[:, -2:], axis=1))


def label_ranks(logits: NDArray[np.floating[Any]], labels: NDArray[np.int64]) -> NDArray[np.int64]:
    """The number of classes with a larger logit than the label; 0 is a correct prediction.

    Args:
        logits: the logits (N, classes).
        labels: the labels (N,).

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


def figures(
    labels: NDArray[np.int64],
    predicted: NDArray[np.int64],
    ranks: NDArray[np.int64],
    classes: int,
    k: int = 5,
) -> dict[str, float]:
    """Percentages over N test images.

    Args:
        labels: (N,) true classes.
        predicted: (N,) classes with the largest logit.
        ranks: (N,) ranks of the labels; see `label_ranks`.
        classes: the number of classes.
        k: the k of recall@k.

    Returns:
        The shares that `Classification.metrics` names. A class that is never predicted has
        precision 0. A class without images is left out of recall.
    """
    confusion = np.zeros((classes, classes), np.int64)
    np.add.at(confusion, (labels, predicted), 1)
    hits = np.diag(confusion).astype(np.float64)
    present, chosen = confusion.sum(axis=1), confusion.sum(axis=0)
    recall = hits[present > 0] / present[present > 0]
    precision = np.divide(hits, chosen, out=np.zeros_like(hits), where=chosen > 0)
    return {
        "accuracy": 100.0 * float(np.mean(labels == predicted)),
        f"recall_at_{k}": 100.0 * float(np.mean(ranks < k)),
        "recall_macro": 100.0 * float(recall.mean()),
        "precision_macro": 100.0 * float(precision.mean()),
    }
