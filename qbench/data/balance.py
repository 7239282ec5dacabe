"""Corrects for classes with few training images: weights in the loss, or balanced batches."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from qbench.base.errors import QbenchError
from qbench.data.batches import Batches
from qbench.data.dataset import Dataset

WEIGHTS = ("none", "balanced")
# The second word of the generators' keys. Batches have the number of an epoch there, the validation
# part has 2^62; here 2^63 plus a class, and another counter for each epoch of the class.
_STREAM = 2**63
_TURNS = 2**64 - 1


class Chosen(Protocol):
    """The settings of training that depend on classes, as the group `train` has them."""

    @property
    def batch_size(self) -> int:
        """Images in a step."""

    @property
    def class_weights(self) -> str:
        """A name in WEIGHTS."""

    @property
    def balanced_batches(self) -> bool:
        """Whether every class has the same number of images in training."""


def check_classes(chosen: Chosen, data: Dataset) -> None:
    """Check that the data have classes, if a setting needs them.

    Raises:
        QbenchError: the task divides the training images into no classes.
    """
    needing = {
        f"train.class_weights={chosen.class_weights}": chosen.class_weights != "none",
        "train.balanced_batches=true": chosen.balanced_batches,
    }
    for key, needs in needing.items():
        if needs and data.task.strata(data.train_labels) is None:
            raise QbenchError(
                f"{key}: the task {data.task.name} of {data.name} divides its images into no"
                " classes; expected a task with strata, such as classification."
            )


def classes_of(data: Dataset) -> NDArray[np.int64]:
    """The class (N,) of each training image, 0 to k - 1 for the k classes that have images."""
    strata = data.task.strata(data.train_labels)
    assert strata is not None  # see check_classes
    places: NDArray[np.int64] = np.unique(strata, return_inverse=True)[1].astype(np.int64)
    return places


def example_weights(chosen: Chosen, data: Dataset) -> NDArray[np.float32] | None:
    """The weight (N,) of each training image in the loss; None if all have the weight 1.

    The weight of an image is N / (k n), for n images of its class and k classes with images. So all
    classes have the same sum of weights, and the mean of all weights is 1.
    """
    if chosen.class_weights == "none":
        return None
    classes = classes_of(data)
    counts = np.bincount(classes)
    return (len(classes) / (len(counts) * counts))[classes].astype(np.float32)


def batches_of(chosen: Chosen, data: Dataset, seed: int) -> Any:
    """The batches of a run: an object with `indices(step)`, see `Batches`."""
    if chosen.balanced_batches:
        return BalancedBatches(classes_of(data), chosen.batch_size, seed)
    return Batches(len(data.train_images), chosen.batch_size, seed)


class BalancedBatches:
    """Rounds in which every class has one image, one round after the other, cut into batches.

    The order of the classes in a round is random. The images of a class come in shuffled epochs of
    their own, so that images of small classes are repeated more often. Everything follows from the
    seed and the step.
    """

    def __init__(self, classes: NDArray[np.int64], batch_size: int, seed: int) -> None:
        """`classes` are the classes (N,) of the training images, 0 to k - 1."""
        order = np.argsort(classes, kind="stable")
        self._members = np.split(order, np.cumsum(np.bincount(classes))[:-1])
        self._batch_size = batch_size
        self._seed = seed
        self._shuffled: dict[int, tuple[int, NDArray[np.int64]]] = {}
        self._turns: dict[int, NDArray[np.int64]] = {}

    def indices(self, step: int) -> NDArray[np.int64]:
        """(batch_size,) indices of the images of one step, counted from 0."""
        first = step * self._batch_size
        count = len(self._members)
        rounds, places = np.divmod(np.arange(first, first + self._batch_size), count)
        pairs = zip(rounds.tolist(), places.tolist(), strict=True)
        return np.array([self._image(turn, place) for turn, place in pairs], np.int64)

    def _image(self, turn: int, place: int) -> int:
        """The image at a place of a round."""
        if turn not in self._turns:
            self._turns = {t: order for t, order in self._turns.items() if t == turn - 1}
            self._turns[turn] = self._generator(_TURNS, turn).permutation(len(self._members))
        chosen = int(self._turns[turn][place])
        epoch, number = divmod(turn, len(self._members[chosen]))
        if self._shuffled.get(chosen, (-1,))[0] != epoch:
            generator = self._generator(_STREAM + chosen, epoch)
            self._shuffled[chosen] = (epoch, generator.permutation(self._members[chosen]))
        return int(self._shuffled[chosen][1][number])

    def _generator(self, word: int, number: int) -> np.random.Generator:
        key = np.array([self._seed, word], np.uint64)
        return np.random.Generator(np.random.Philox(key=key, counter=[0, 0, 0, number]))
