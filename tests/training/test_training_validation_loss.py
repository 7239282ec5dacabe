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


@pytest.mark.parametrize(
    ("most", "places"),
    [
        (1, [0]),
        (3, [0, 10, 21]),
        (8, range(0, 32, 4)),
        (31, range(31)),
        (32, range(32)),
        (100, range(32)),
    ],
)
def test_it_is_the_mean_over_images_from_the_whole_part(most: int, places: list[int]) -> None:
    seen: list[Any] = []

    def forward(images: Any) -> Any:
        seen.extend(images)
        return _logits(images)

    found = validation_loss(forward, DATA, most, 8)
    places = list(places)
    np.testing.assert_array_equal(seen, IMAGES[places])
    logits = _logits(IMAGES[places]).astype(np.float64)
    chosen = logits[np.arange(len(logits)), TARGETS[places]]
    expected = np.mean(np.log(np.exp(logits).sum(axis=1)) - chosen)
    assert found == pytest.approx(expected, rel=1e-6)


def test_targets_are_tensors_as_in_a_training_step() -> None:
    class Shaped(Classification):
        """Asks a target for what only a tensor has."""

        def loss(self, outputs: Any, targets: Any) -> Any:
            assert targets.shape.as_list() == [8]
            return super().loss(outputs, targets)

    data = networks.dataset(IMAGES, TARGETS, Shaped(4))
    assert validation_loss(_logits, data, 16, 8) == validation_loss(_logits, DATA, 16, 8)


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
