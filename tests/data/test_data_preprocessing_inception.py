"""The inception preprocessing: crops read off from ramps, colours against colorsys."""

from __future__ import annotations

import colorsys
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qbench.base import device
from qbench.data.augmentation import AUGMENTATIONS, DRAWS
from qbench.data.preprocessing import PREPROCESSING

BELOW_1 = float(np.nextafter(np.float32(1), np.float32(0)))
SQUARE = 3 / 7  # the draw of the aspect that gives 1
SIDE = 32
UNIT = st.floats(0, BELOW_1, width=32)


@pytest.fixture(scope="module", autouse=True)
def _tensorflow() -> None:
    device.start(2)


def _draws(rows: list[list[float]]) -> Any:
    return np.array(rows, np.float32)


def _inception(images: Any, draws: Any, flip: bool) -> Any:
    return np.asarray(AUGMENTATIONS["slim_inception"](images, draws, flip))


def _random(channels: int, low: int = 0, high: int = 256, count: int = 6, side: int = 8) -> Any:
    shape = (count, side, side, channels)
    return np.random.default_rng(3).integers(low, high, shape, np.uint8)


def _whole(count: int, brightness: float = 0.5, saturation: float = 0.5, mirror: float = 1) -> Any:
    """Draws that crop nothing: all of the area, aspect 1."""
    return _draws([[1, SQUARE, 0, 0, mirror, brightness, saturation]] * count)


@pytest.mark.parametrize("channels", [1, 3])
def test_the_box_of_the_full_area_is_the_image(channels: int) -> None:
    images = _random(channels)
    result = _inception(images, _whole(len(images)), True)
    assert (result.dtype, result.shape) == (np.float32, images.shape)
    np.testing.assert_allclose(result, images, rtol=0, atol=1e-3)


def _box(draws: list[float], flip: bool = False) -> tuple[float, float, float, float]:
    """First and last row and column that a crop takes: corners of cropped ramps are its ends."""
    ramp = np.arange(SIDE, dtype=np.uint8)
    rows = np.broadcast_to(ramp[:, None, None], (SIDE, SIDE, 1))
    columns = np.broadcast_to(ramp[None, :, None], (SIDE, SIDE, 1))
    cropped = _inception(np.stack([rows, columns]), _draws([draws, draws]), flip)[..., 0]
    return cropped[0, 0, 0], cropped[0, -1, 0], cropped[1, 0, 0], cropped[1, 0, -1]


@settings(max_examples=150, deadline=None)
@given(area=UNIT, aspect=UNIT, top=UNIT, left=UNIT)
def test_the_crop_stays_within_its_bounds(
    area: float, aspect: float, top: float, left: float
) -> None:
    first_row, last_row, first, last = _box([area, aspect, top, left, 1, 0, 0])
    tall, wide = last_row - first_row + 1, last - first + 1
    assert -1e-3 <= first_row < last_row <= SIDE - 1 + 1e-3
    assert -1e-3 <= first < last <= SIDE - 1 + 1e-3
    assert 0.25 - 1e-3 <= tall * wide / SIDE**2 <= 1 + 1e-3
    assert 0.75 - 1e-3 <= wide / tall <= 4 / 3 + 1e-3


CROPS: list[tuple[str, list[float], tuple[float, float]]] = [
    ("smallest", [0, SQUARE], (16, 16)),
    ("half", [1 / 3, SQUARE], (32 * 0.5**0.5, 32 * 0.5**0.5)),
    ("tall", [0, 0], (16 / 0.75**0.5, 16 * 0.75**0.5)),
    ("wide", [0, 1], (16 * 0.75**0.5, 16 / 0.75**0.5)),
    ("wider than the image", [1, 1], (32 * 0.75**0.5, 32)),
]


@pytest.mark.parametrize(("drawn", "size"), [c[1:] for c in CROPS], ids=[c[0] for c in CROPS])
@pytest.mark.parametrize("place", [0.0, 0.25, BELOW_1])
def test_size_and_place_of_the_crop(
    drawn: list[float], size: tuple[float, float], place: float
) -> None:
    first_row, last_row, first, last = _box([*drawn, place, place, 1, 0, 0])
    tall, wide = size
    assert last_row - first_row + 1 == pytest.approx(tall, abs=2e-3)
    assert last - first + 1 == pytest.approx(wide, abs=2e-3)
    assert first_row == pytest.approx(place * (SIDE - tall), abs=2e-3)
    assert first == pytest.approx(place * (SIDE - wide), abs=2e-3)


@pytest.mark.parametrize("channels", [1, 3])
def test_half_of_the_images_are_mirrored(channels: int) -> None:
    images = _random(channels, count=1)
    crop = [0.3, 0.6, 0.2, 0.7]
    plain = _inception(images, _draws([[*crop, 0.5, 0.4, 0.8]]), True)
    mirrored = _inception(images, _draws([[*crop, 0.4999, 0.4, 0.8]]), True)
    np.testing.assert_allclose(mirrored, plain[:, :, ::-1], rtol=0, atol=1e-3)
    assert np.abs(mirrored - plain).max() > 1


def test_nothing_is_mirrored_where_that_would_change_the_class() -> None:
    images = _random(1, count=1)
    draws = [_draws([[0.3, 0.6, 0.2, 0.7, mirror, 0, 0]]) for mirror in (0.0, 0.9)]
    np.testing.assert_array_equal(*(_inception(images, draw, False) for draw in draws))


def _reference_colours(image: Any, brightness: float, saturation: float) -> Any:
    """Pixel by pixel: add brightness, scale the saturation, clip."""
    result = np.zeros(image.shape)
    shift, factor = (2 * brightness - 1) * 32, 0.5 + saturation
    for place in np.ndindex(image.shape[:2]):
        red, green, blue = (image[place].astype(float) + shift) / 255
        if max(red, green, blue) <= 0:
            continue
        hue, amount, value = colorsys.rgb_to_hsv(red, green, blue)
        amount = min(max(amount * factor, 0), 1)
        result[place] = colorsys.hsv_to_rgb(hue, amount, value)
    return np.clip(result, 0, 1) * 255


@pytest.mark.parametrize(("low", "high"), [(64, 192), (0, 256)], ids=["middle", "all values"])
@pytest.mark.parametrize("brightness", [0.0, 0.5, BELOW_1])
@pytest.mark.parametrize("saturation", [0.0, 0.3, 0.5, BELOW_1])
def test_colours_against_colorsys(
    brightness: float, saturation: float, low: int, high: int
) -> None:
    images = _random(3, low, high)
    result = _inception(images, _whole(len(images), brightness, saturation), True)
    for image, got in zip(images, result, strict=True):
        expected = _reference_colours(image, brightness, saturation)
        np.testing.assert_allclose(got, expected, rtol=0, atol=0.01)


def test_every_image_has_its_own_colours() -> None:
    images = np.repeat(_random(3, 64, 192, count=1), 3, axis=0)
    draws = np.concatenate([_whole(1, 0.1, 0.9), _whole(1, 0.9, 0.1), _whole(1, 0.1, 0.9)])
    result = _inception(images, draws, True)
    np.testing.assert_array_equal(result[0], result[2])
    assert np.abs(result[0] - result[1]).max() > 10


def test_grey_images_get_no_colour_change() -> None:
    images = _random(1)
    one, two = _whole(len(images), 0.0, 0.0), _whole(len(images), BELOW_1, BELOW_1)
    np.testing.assert_array_equal(_inception(images, one, True), _inception(images, two, True))


@settings(max_examples=50, deadline=None)
@given(draws=st.lists(UNIT, min_size=DRAWS, max_size=DRAWS), channels=st.sampled_from([1, 3]))
def test_the_network_never_sees_more_than_minus_1_to_1(draws: list[float], channels: int) -> None:
    preprocessing = PREPROCESSING["inception"]
    images = _random(channels, count=2)
    result = np.asarray(preprocessing.scale(_inception(images, _draws([draws] * 2), True)))
    assert np.isfinite(result).all()
    assert np.abs(result).max() <= 1 + 1e-5


def test_scale_maps_0_to_minus_1_and_255_to_1() -> None:
    images = np.array([0, 51, 255], np.uint8).reshape(3, 1, 1, 1)
    result = np.asarray(PREPROCESSING["inception"].scale(images))
    assert result.dtype == np.float32
    np.testing.assert_allclose(result.ravel(), [-1, -0.6, 1], rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    "draws",
    [(0.875, 0.0, 0.0, 0.99999994), (0.75, 0.75, 0.99999994, 0.0)],
    ids=["right end", "lower end"],
)
def test_a_crop_that_rounding_puts_over_the_edge_paints_no_black(draws):
    white = np.full((1, SIDE, SIDE, 1), 200, np.uint8)
    values = np.zeros((1, 7), np.float32)
    values[0, :4] = draws
    made = AUGMENTATIONS["slim_inception"](white, values, False)
    assert np.asarray(made).min() == pytest.approx(200)
