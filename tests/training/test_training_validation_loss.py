"""The loss on validation images by which schemes choose."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from qbench.base.errors import QbenchError
from qbench.tasks.classification import Classification
from qbench.testing import networks
from qbench.training.validation_loss import validation_loss

IMAGES = networks.images(networks.SHAPE)
TARGETS = np.arange(len(IMAGES)) % 4
DATA = networks.dataset(IMAGES, TARGETS, Classification(4))


def _logits(images: Any) -> Any:
    return np.asarray(images, np.float32).reshape(len(images), -1)[:, :4] / 64


@pytest.mark.parametrize("count", [1, 7, 8, 13, 32, 100])
def test_it_is_the_mean_over_the_first_images(count: int) -> None:
    logits = _logits(IMAGES[:count]).astype(np.float64)
    chosen = logits[np.arange(len(logits)), TARGETS[:count]]
    expected = np.mean(np.log(np.exp(logits).sum(axis=1)) - chosen)
    assert validation_loss(_logits, DATA, count, 8) == pytest.approx(expected, rel=1e-6)


def test_batches_have_the_given_size_and_the_last_one_the_rest() -> None:
    sizes: list[int] = []

    def forward(images: Any) -> Any:
        sizes.append(len(images))
        return _logits(images)

    validation_loss(forward, DATA, 21, 8)
    assert sizes == [8, 8, 5]


def test_no_number_is_the_worst_loss() -> None:
    assert validation_loss(lambda images: _logits(images) * np.nan, DATA, 8, 8) == math.inf


def test_data_without_validation_images_are_refused() -> None:
    with pytest.raises(QbenchError, match=r"^checked has no validation images"):
        validation_loss(_logits, replace(DATA, validation=None), 8, 8)
