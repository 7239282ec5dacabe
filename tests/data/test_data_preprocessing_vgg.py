"""The vgg preprocessing against numpy, given the same draws."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from qbench.base import device
from qbench.data.augmentation import AUGMENTATIONS, DRAWS
from qbench.data.preprocessing import PREPROCESSING

SHAPES = [(8, 8, 1), (28, 28, 1), (32, 32, 3), (16, 24, 3)]
BELOW_1 = np.nextafter(np.float32(1), np.float32(0))


@pytest.fixture(scope="module", autouse=True)
def _tensorflow() -> None:
    device.start(2)


def _images(shape: tuple[int, int, int], count: int = 40) -> Any:
    return np.random.default_rng(1).integers(0, 256, (count, *shape), np.uint8)


def _draws(count: int = 40) -> Any:
    return np.random.default_rng(2).random((count, DRAWS), np.float32)


def _vgg(images: Any, draws: Any, flip: bool) -> Any:
    return np.asarray(AUGMENTATIONS["slim_vgg"](images, draws, flip))


def _reference(image: Any, draws: Any, flip: bool) -> Any:
    """Zero-pad by an eighth, cut out a window of the old size, perhaps mirror it."""
    height, width, _ = image.shape
    down, right = height // 8, width // 8
    padded = np.pad(image, ((down, down), (right, right), (0, 0)))
    top = int(draws[0] * np.float32(2 * down + 1))
    left = int(draws[1] * np.float32(2 * right + 1))
    window = padded[top : top + height, left : left + width]
    return window[:, ::-1] if flip and draws[2] < 0.5 else window


@pytest.mark.parametrize("flip", [True, False], ids=["flip", "no flip"])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_crop_and_flip_are_those_of_the_reference(shape: tuple[int, int, int], flip: bool) -> None:
    images, draws = _images(shape), _draws()
    result = _vgg(images, draws, flip)
    assert (result.dtype, result.shape) == (np.uint8, images.shape)
    for image, draw, got in zip(images, draws, result, strict=True):
        np.testing.assert_array_equal(got, _reference(image, draw, flip))


@pytest.mark.parametrize(
    ("down", "right", "window"),
    [
        (0.0, 0.0, (slice(4, None), slice(4, None), slice(None, -4), slice(None, -4))),
        (0.5, 0.5, (slice(None), slice(None), slice(None), slice(None))),
        (BELOW_1, BELOW_1, (slice(None, -4), slice(None, -4), slice(4, None), slice(4, None))),
    ],
    ids=["first", "middle", "last"],
)
def test_the_window_reaches_from_corner_to_corner(
    down: float, right: float, window: tuple[slice, ...]
) -> None:
    """By an eighth of 32 pixels, so by 4, with black beyond the image."""
    image = _images((32, 32, 3), 1)
    draws = np.array([[down, right, 0.9, 0, 0, 0, 0]], np.float32)
    to_rows, to_columns, from_rows, from_columns = window
    expected = np.zeros_like(image[0])
    expected[to_rows, to_columns] = image[0, from_rows, from_columns]
    np.testing.assert_array_equal(_vgg(image, draws, True)[0], expected)


def test_half_of_the_images_are_mirrored() -> None:
    images = np.repeat(_images((8, 8, 1), 1), 4, axis=0)
    draws = np.full((4, DRAWS), 0.5, np.float32)
    draws[:, 2] = [0.0, 0.4999, 0.5, BELOW_1]
    result = _vgg(images, draws, True)
    mirrored = [bool(np.array_equal(got, images[0, :, ::-1])) for got in result]
    assert mirrored == [True, True, False, False]


def test_offsets_are_drawn_evenly() -> None:
    """1 of 9 positions each way, seen by where a single white pixel ends up."""
    count = 9000
    images = np.zeros((count, 32, 32, 1), np.uint8)
    images[:, 16, 16] = 255
    places = np.argwhere(_vgg(images, _draws(count), False)[..., 0] == 255)
    assert len(places) == count
    for axis in (1, 2):
        found, counts = np.unique(places[:, axis], return_counts=True)
        assert found.tolist() == list(range(12, 21))
        assert np.all(np.abs(counts - 1000) < 150)


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_colour_means_are_subtracted_in_red_green_blue(dtype: Any) -> None:
    images = _images((32, 32, 3)).astype(dtype)
    result = np.asarray(PREPROCESSING["vgg"].scale(images))
    expected = images.astype(np.float64) - np.array([123.68, 116.78, 103.94])
    assert (result.dtype, result.shape) == (np.float32, images.shape)
    np.testing.assert_allclose(result, expected, rtol=0, atol=2e-5)


def test_grey_images_lose_the_mean_of_the_three() -> None:
    images = _images((8, 8, 1))
    result = np.asarray(PREPROCESSING["vgg"].scale(images))
    np.testing.assert_allclose(result, images.astype(np.float64) - 344.4 / 3, rtol=0, atol=2e-5)


@pytest.mark.parametrize("name", [n for n in PREPROCESSING.names() if n != "mean_std"])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_evaluation_takes_the_whole_image(name: str, shape: tuple[int, int, int]) -> None:
    """Scaling maps each pixel by itself: an increasing function of its value."""
    images = _images(shape)
    result = np.asarray(PREPROCESSING[name].scale(images))
    assert result.shape == images.shape
    if name == "imagenet_caffe":
        result = result[..., ::-1]  # blue comes first
    for channel in range(shape[-1]):
        got, value = result[..., channel].ravel(), images[..., channel].ravel()
        assert len(np.unique(got)) == len(np.unique(value))
        np.testing.assert_array_equal(
            np.argsort(got, kind="stable"), np.argsort(value, kind="stable")
        )
