"""Resized images against matrix products and values computed by hand."""

from __future__ import annotations

import numpy as np
import pytest
from image_files import noise
from numpy.typing import NDArray
from PIL import Image

from qbench.data.images.options import FITS, METHODS
from qbench.data.images.resizing import as_array, resized


def made(image: NDArray[np.uint8], side: int, fit: str, method: str, grey: int = 0) -> NDArray[int]:
    return as_array(resized(Image.fromarray(image), side, fit, method, grey)).astype(int)


def weights(old: int, new: int) -> NDArray[np.float64]:
    """(new, old): the share of each old pixel in a new one, a triangle as wide as the scale."""
    scale = old / new
    centres = (np.arange(new)[:, np.newaxis] + 0.5) * scale
    shares = np.maximum(0, 1 - np.abs(np.arange(old) + 0.5 - centres) / max(scale, 1))
    return shares / shares.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("shape", [(30, 20), (5, 7), (16, 16), (3, 40)])
def test_bilinear_averages_over_a_triangle(shape: tuple[int, int]) -> None:
    image = noise(0, *shape)
    expected = np.einsum("rh,hwc,sw->rsc", weights(shape[0], 16), image, weights(shape[1], 16))
    assert np.abs(made(image, 16, "stretch", "bilinear") - expected).max() <= 1


def test_box_takes_the_mean_and_nearest_one_pixel() -> None:
    image = noise(1, 8, 16, 1)
    blocks = image.reshape(4, 2, 4, 4).astype(float)
    assert np.abs(made(image, 4, "stretch", "box")[..., 0] - blocks.mean(axis=(1, 3))).max() <= 1
    assert np.array_equal(made(image, 4, "stretch", "nearest")[..., 0], image[1::2, 2::4])


def test_methods_differ() -> None:
    found = {made(noise(2, 30, 30), 8, "stretch", method).tobytes() for method in METHODS}
    assert len(found) == len(METHODS)


@pytest.mark.parametrize(("height", "width"), [(8, 15), (15, 8), (9, 8)])
def test_crop_takes_the_square_in_the_middle(height: int, width: int) -> None:
    image = noise(3, height, width)
    top, left = (height - 8) // 2, (width - 8) // 2
    middle = image[top : top + 8, left : left + 8]
    assert np.array_equal(made(image, 8, "crop", "bicubic"), middle)
    assert np.array_equal(made(image, 5, "crop", "box"), made(middle, 5, "stretch", "box"))


def test_pad_keeps_the_whole_image_on_the_background() -> None:
    image = noise(4, 4, 8)
    found = made(image, 8, "pad", "bilinear", 77)
    assert np.array_equal(found[2:6], image)
    assert np.all(found[:2] == 77) and np.all(found[6:] == 77)
    upright = made(image.transpose(1, 0, 2), 8, "pad", "bilinear", 77)
    assert np.array_equal(upright, found.transpose(1, 0, 2))


@pytest.mark.parametrize(("width", "rows"), [(30, 3), (32, 3), (100, 1), (4000, 1)])
def test_the_short_side_of_pad_is_rounded_and_never_nothing(width: int, rows: int) -> None:
    found = made(np.full((10, width), 255, np.uint8), 8, "pad", "box")
    assert int((found[:, 4, 0] > 0).sum()) == rows


@pytest.mark.parametrize("fit", FITS)
def test_an_image_of_the_size_is_unchanged(fit: str) -> None:
    image = noise(5, 8, 8)
    assert np.array_equal(made(image, 8, fit, "lanczos"), image)
