"""The images of each step: a function of only the seed and the step."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


class Batches:
    """Shuffled epochs, one after the other, that are cut into batches.

    A batch may cross the end of an epoch. So every batch is full and, over whole epochs, every
    image is used equally often.
    """

    def __init__(self, images: int, batch_size: int, seed: int) -> None:
        """`images` is the number of training images."""
        self._images = images
        self._batch_size = batch_size
        self._seed = seed
        self._epochs: dict[int, NDArray[np.int64]] = {}

    def indices(self, step: int) -> NDArray[np.int64]:
        """(batch_size,) indices of the images of one step, counted from 0."""
        first = step * self._batch_size
        positions = np.arange(first, first + self._batch_size)
        epochs, places = np.divmod(positions, self._images)
        result = np.empty(self._batch_size, np.int64)
        for epoch in np.unique(epochs):
            here = epochs == epoch
            result[here] = self._order(int(epoch))[places[here]]
        return result

    def _order(self, epoch: int) -> NDArray[np.int64]:
        """The shuffled order of one epoch; the orders of the last two epochs are kept."""
        if epoch not in self._epochs:
            generator = np.random.Generator(np.random.Philox(key=[self._seed, epoch]))
            self._epochs = {e: o for e, o in self._epochs.items() if e == epoch - 1}
            self._epochs[epoch] = generator.permutation(self._images)
        return self._epochs[epoch]
