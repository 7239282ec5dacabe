"""The resolution of what a network reads, against TensorFlow's own resizing."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from qbench.base import device
from qbench.data.preprocessing import input_shape, network_input, resized


@pytest.fixture(scope="module", autouse=True)
def _tensorflow() -> None:
    device.start(2)  # as other tests of the same process ask for


IMAGES = np.random.default_rng(0).integers(0, 256, (3, 32, 32, 3)).astype(np.uint8)


@pytest.mark.parametrize("side", [1, 7, 16, 24, 31, 32, 33, 64, 100])
def test_resized_is_antialiased_bilinear(side: int) -> None:
    expected = tf.image.resize(IMAGES, (side, side), antialias=True)
    found = resized(tf.constant(IMAGES), side)
    assert found.shape == (3, side, side, 3)
    np.testing.assert_allclose(found, expected, atol=2e-3)


def test_the_images_own_resolution_changes_nothing() -> None:
    np.testing.assert_array_equal(resized(tf.constant(IMAGES), 32), IMAGES.astype(np.float32))


def test_half_the_resolution_by_hand() -> None:
    """Triangles of twice the width: shares of 3, 3 and 1 sevenths at an edge."""
    line = np.array([0, 70, 140, 210], np.uint8)
    image = np.broadcast_to(line[np.newaxis, np.newaxis, :, np.newaxis], (1, 4, 4, 1))
    found = resized(tf.constant(image), 2).numpy()[0, :, :, 0]
    left = (3 * 0 + 3 * 70 + 140) / 7
    np.testing.assert_allclose(found, [[left, 210 - left]] * 2, rtol=1e-6)


@pytest.mark.parametrize("name", ["vgg", "inception"])
def test_the_network_reads_resized_images_scaled(name: str) -> None:
    images = tf.constant(IMAGES)
    as_they_are = network_input(images, name, None)
    assert as_they_are.shape == (3, 32, 32, 3)
    found = network_input(images, name, 8)
    # Scaling is affine, so that it does not matter which comes first.
    np.testing.assert_allclose(
        found, tf.image.resize(as_they_are, (8, 8), antialias=True), atol=2e-3
    )


@pytest.mark.parametrize(
    ("shape", "resolution", "expected"),
    [((28, 20, 1), None, (28, 20, 1)), ((28, 20, 1), 16, (16, 16, 1)), ((8, 8, 3), 9, (9, 9, 3))],
)
def test_input_shape(
    shape: tuple[int, int, int], resolution: int | None, expected: tuple[int, int, int]
) -> None:
    assert input_shape(shape, resolution) == expected


def test_images_that_are_not_square() -> None:
    wide = tf.constant(IMAGES[:, :20])
    expected = tf.image.resize(wide, (16, 16), antialias=True)
    np.testing.assert_allclose(resized(wide, 16), expected, atol=2e-3)
