"""Gives each training step its batch: from constants of the graph, or from images on disk.

The batch of a step follows only from the seed and the step, wherever the images are. So both ways
give the same bits, and training continues after any step.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from qbench.data.balance import BalancedBatches
from qbench.data.batches import Batches
from qbench.data.dataset import Dataset
from qbench.data.rows import gathered, on_disk

_AHEAD = 2  # batches that are read while a step is computed

Batch = tuple[Any, ...]
Weights = NDArray[np.float32]


def batch_signature(data: Dataset, weighted: bool = False) -> list[Any]:
    """The types of the arguments that give a compiled step its batch, as `tf.TensorSpec`.

    They are indices (B,) int64 of images in memory. For images on disk they are the images
    (B, H, W, C) uint8 and the targets (B, ...), and the weights (B,) float32 if images have such.
    """
    if not on_disk(data.train_images):
        return [tf.TensorSpec((None,), tf.int64)]
    found = [
        tf.TensorSpec((None, *array.shape[1:]), array.dtype)
        for array in (data.train_images, data.train_labels)
    ]
    return [*found, tf.TensorSpec((None,), tf.float32)] if weighted else found


def batch_reader(data: Dataset, weights: Weights | None = None) -> Callable[..., Batch]:
    """The function that makes the batch from these arguments within a compiled step.

    Args:
        data: the data set.
        weights: the weight (N,) of each training image in the loss; None if there are none.

    Returns:
        A function that returns images, targets and weights; the weights may be None.
    """
    if on_disk(data.train_images):
        return lambda images, targets, weight=None: (images, targets, weight)
    arrays = data.train_images, data.train_labels, weights
    every = [None if array is None else tf.constant(array) for array in arrays]

    def read(indices: Any) -> Batch:
        return tuple(None if array is None else tf.gather(array, indices) for array in every)

    return read


@contextmanager
def feed(
    data: Dataset,
    batches: Batches | BalancedBatches,
    numbers: Iterable[int],
    weights: Weights | None = None,
) -> Iterator[Iterator[Batch]]:
    """Yields an iterator over the arguments of each step, see `batch_signature`.

    A thread reads images on disk before they are needed. It ends with the context. An exception in
    it is raised where its batch would come.

    Args:
        data: the data set.
        batches: gives the indices of each step.
        numbers: the steps.
        weights: see `batch_reader`.
    """
    if not on_disk(data.train_images):
        yield ((batches.indices(number),) for number in numbers)
        return

    def read(number: int) -> Batch:
        indices = batches.indices(number)
        images = gathered(data.train_images, indices)
        others = [data.train_labels, *([] if weights is None else [weights])]
        return tf.constant(images), *(tf.constant(array[indices]) for array in others)

    pool = ThreadPoolExecutor(1, "batches")
    try:
        yield _ahead(pool, read, numbers)
    finally:
        pool.shutdown(cancel_futures=True)


def _ahead(
    pool: ThreadPoolExecutor, read: Callable[[int], Batch], numbers: Iterable[int]
) -> Iterator[Batch]:
    """The batches in order; the next ones are read meanwhile."""
    waiting: deque[Future[Batch]] = deque()
    for number in numbers:
        waiting.append(pool.submit(read, number))
        if len(waiting) > _AHEAD:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()
