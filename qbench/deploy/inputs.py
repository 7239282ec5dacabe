"""The inputs of a network and of its file, from images."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qbench.config.experiment import Experiment
from qbench.data.preprocessing import network_input

BATCH = 100

Values = NDArray[np.float32]


def input_batches(experiment: Experiment, images: Any, size: int = BATCH) -> Iterator[Values]:
    """The network inputs of (N, H, W, C) uint8 images, in batches."""
    for start in range(0, len(images), size):
        yield network_inputs(experiment, images[start : start + size])


def network_inputs(experiment: Experiment, images: Any) -> Values:
    """The network input of (N, H, W, C) uint8 images, (N, H, W, C) float32."""
    settings = experiment.data
    read = network_input(np.asarray(images), settings.preprocessing, settings.resolution)
    result: Values = read.numpy()
    return result
