"""Runs a trained network over the test set."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from qbench.config.experiment import Experiment
from qbench.data.dataset import Dataset
from qbench.training.network import Network


def run_test_set(
    network: Network, experiment: Experiment, data: Dataset
) -> tuple[NDArray[np.float32], NDArray[Any]]:
    """Outputs (N, ...) and targets (N, ...) of the test images, in order.

    Batches have `eval.batch_size` images. The last batch has the remaining images, without padding.
    If ops measure ranges, the ranges of each batch come only from its own images.
    """
    limit, size = experiment.eval.limit, experiment.eval.batch_size
    images, targets = data.test_images[:limit], data.test_labels[:limit]
    forward = network.forward(experiment.quant.quantization, experiment.scheme)
    parts: list[Any] = [forward(images[k : k + size]).numpy() for k in range(0, len(images), size)]
    return np.concatenate(parts), targets
