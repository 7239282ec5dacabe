"""The loss of a network on validation images, for schemes that choose by it."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from qbench.base.errors import QbenchError
from qbench.data.dataset import Dataset


def validation_loss(forward: Callable[[Any], Any], data: Dataset, count: int, batch: int) -> float:
    """The mean of the task's loss over the first validation images.

    Args:
        forward: images (B, H, W, C) uint8 -> outputs (B, ...) float32.
        data: the data, with validation images.
        count: number of images; all are taken if there are fewer.
        batch: number of images that are computed at once.

    Returns:
        The mean in float64; infinite if it is not a number.

    Raises:
        QbenchError: the data have no validation images.
    """
    if data.validation is None:
        raise QbenchError(f"{data.name} has no validation images to compute a loss on.")
    images, targets = (part[:count] for part in data.validation)
    total = 0.0
    for first in range(0, len(targets), batch):
        part = slice(first, first + batch)
        outputs = forward(np.asarray(images[part]))
        total += float(np.sum(data.task.loss(outputs, targets[part]), dtype=np.float64))
    mean = total / len(targets)
    return math.inf if math.isnan(mean) else mean
