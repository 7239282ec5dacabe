"""Runs a trained network over the test set and the validation images."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from qbench.config.experiment import Experiment
from qbench.data.dataset import Dataset
from qbench.data.rows import Images
from qbench.training.network import Network


def run_test_set(
    network: Network, experiment: Experiment, data: Dataset
) -> tuple[NDArray[np.float32], NDArray[Any]]:
    """Outputs (N, ...) and targets (N, ...) of the test images up to `eval.limit`, in order."""
    limit = experiment.eval.limit
    images, targets = data.test_images[:limit], data.test_labels[:limit]
    return run_images(network, experiment, images), targets


def run_validation(
    network: Network, experiment: Experiment, data: Dataset
) -> tuple[NDArray[np.float32], NDArray[Any]] | None:
    """Outputs and targets of all validation images, in order; None if there are none."""
    if data.validation is None:
        return None
    images, targets = data.validation
    return run_images(network, experiment, images), targets


def run_images(network: Network, experiment: Experiment, images: Images) -> NDArray[np.float32]:
    """Outputs (N, ...) of images (N, H, W, C), in order.

    Batches have `eval.batch_size` images. The last batch has the remaining images, without padding.
    If ops measure ranges, the ranges of each batch come only from its own images.
    """
    size = experiment.eval.batch_size
    forward = network.forward(experiment.quantization, experiment.scheme)
    parts: list[Any] = [
        forward(np.asarray(images[k : k + size])).numpy() for k in range(0, len(images), size)
    ]
    return np.concatenate(parts)
