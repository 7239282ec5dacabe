"""The loss of a network on validation images, for schemes that choose by it."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from qbench.base.errors import QbenchError
from qbench.data.dataset import Dataset
from qbench.data.rows import gathered


def validation_loss(forward: Callable[[Any], Any], data: Dataset, most: int, batch: int) -> float:
    """The mean of the task's loss over validation images.

    They are spread evenly over the whole part, because it may be sorted by class.

    Args:
        forward: images (B, H, W, C) uint8 -> outputs (B, ...) float32.
        data: the data, with validation images.
        most: number of images; all are taken if there are fewer.
        batch: number of images that are computed at once.

    Returns:
        The mean in float64; infinite if it is not a number.

    Raises:
        QbenchError: the data have no validation images.
    """
    if data.validation is None:
        raise QbenchError(f"{data.name} has no validation images to compute a loss on.")
    images, targets = data.validation
    count = min(most, len(targets))
    chosen = np.arange(count) * len(targets) // count
    total = 0.0
    for first in range(0, count, batch):
        part = chosen[first : first + batch]
        outputs = forward(gathered(images, part))
        losses = data.task.loss(outputs, tf.convert_to_tensor(targets[part]))
        total += float(np.sum(losses, dtype=np.float64))
    mean = total / count
    return math.inf if math.isnan(mean) else mean
