"""slim's preprocessings against numpy, given the same draws, and against TensorFlow's own ops."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from qbench.base import device
from qbench.data import slim
from qbench.data.preprocessing import CHANNEL_MEANS, PREPROCESSING, Preparation

SIDE = 224
COLOUR, GREY = (32, 32, 3), (20, 28, 1)
LAST = 1.0 - 2.0**-23  # the largest number that TensorFlow draws


@pytest.fixture(scope="module", autouse=True)
def _tensorflow() -> None:
    device.start(2)


def _images(shape: tuple[int, int, int] = COLOUR, count: int = 5) -> Any:
    return np.random.default_rng(1).integers(0, 256, (count, *shape), np.uint8)


def _draws(name: str, count: int = 5) -> Any:
    return np.random.default_rng(2).random((count, slim.SLIM[name].draws), np.float32)


def _made(name: str, images: Any, draws: Any, flip: bool, side: int = SIDE) -> Any:
    """What the network reads of training images."""
    return np.asarray(PREPROCESSING[name].scale(slim.SLIM[name].train(images, draws, flip, side)))


def _enlarged(image: Any, tall: int, wide: int) -> Any:
    """The whole image on TensorFlow 1's grid: pixel i is read at i times old over new.

    TensorFlow computes the places, and nothing else here, in single precision.
    """
    height, width, _ = image.shape
    rows, columns = (_mixing(*lengths) for lengths in ((height, tall), (width, wide)))
    across = np.einsum("hwc,sw->hsc", image.astype(np.float64), columns)
    return np.tensordot(rows, across, 1)


def _mixing(old: int, new: int) -> Any:
    """(new, old) shares of the old pixels; np.interp stays at the last one beyond it."""
    places = np.arange(new, dtype=np.float32) * (np.float32(old) / np.float32(new))
    return np.stack([np.interp(places, np.arange(old), one) for one in np.eye(old)], axis=1)


def _shorter(image: Any, side: int) -> Any:
    """The image with a shorter side of this many pixels."""
    height, width, _ = image.shape
    shorter = min(height, width)
    return _enlarged(image, round(height * side / shorter), round(width * side / shorter))


def _window(image: Any, top: int, left: int) -> Any:
    return image[top : top + SIDE, left : left + SIDE]


def _centred(pixels: Any) -> Any:
    """Minus the channel means; of grey pixels their mean."""
    means = np.array(CHANNEL_MEANS)
    return pixels - (means if pixels.shape[-1] == 3 else means.mean())


def _vgg(image: Any, draws: Any, flip: bool) -> Any:
    enlarged = _shorter(image, 256 + int(draws[0] * 257))
    places = (int(u * (n - SIDE + 1)) for u, n in zip(draws[1:3], enlarged.shape, strict=False))
    window = _window(enlarged, *places)
    return _centred(window[:, ::-1] if flip and draws[3] < 0.5 else window)


@pytest.mark.parametrize("flip", [True, False], ids=["flip", "no flip"])
@pytest.mark.parametrize("shape", [COLOUR, GREY], ids=str)
def test_training_images_of_vgg(shape: tuple[int, int, int], flip: bool) -> None:
    images, draws = _images(shape), _draws("vgg")
    draws[0], draws[1] = LAST, 0.0  # 512 and 256 pixels, the corners
    found = _made("vgg", images, draws, flip)
    assert (found.shape, found.dtype) == ((5, SIDE, SIDE, shape[-1]), np.float32)
    for got, image, draw in zip(found, images, draws, strict=True):
        np.testing.assert_allclose(got, _vgg(image, draw, flip), rtol=0, atol=1e-4)


@pytest.mark.parametrize("shape", [COLOUR, GREY], ids=str)
def test_evaluation_of_vgg_is_the_centre_of_256_pixels(shape: tuple[int, int, int]) -> None:
    images = _images(shape)
    for got, image in zip(
        Preparation("vgg", slim_image_size=SIDE)(images).numpy(), images, strict=True
    ):
        enlarged = _shorter(image, 256)
        places = ((n - SIDE) // 2 for n in enlarged.shape[:2])
        np.testing.assert_allclose(got, _centred(_window(enlarged, *places)), rtol=0, atol=1e-4)


@pytest.mark.parametrize("shape", [COLOUR, GREY], ids=str)
def test_evaluation_of_inception_is_the_centre_of_each_side(shape: tuple[int, int, int]) -> None:
    images = _images(shape)
    top, left = {COLOUR: (2, 2), GREY: (1, 1)}[shape]
    cut = images[:, top : shape[0] - top, left : shape[1] - left]
    found = Preparation("inception", slim_image_size=SIDE)(images).numpy()
    for got, image in zip(found, cut, strict=True):
        expected = (_enlarged(image, SIDE, SIDE) / 255 - 0.5) * 2
        np.testing.assert_allclose(got, expected, rtol=0, atol=1e-6)


def test_the_grid_is_that_of_tensorflow_without_half_pixel_centres() -> None:
    images = _images()
    flags = {"align_corners": False, "half_pixel_centers": False}
    pixels = tf.cast(images, tf.float32)
    whole = tf.raw_ops.ResizeBilinear(images=pixels, size=[256, 256], **flags)
    cut = tf.raw_ops.ResizeBilinear(images=pixels[:, 2:30, 2:30], size=[SIDE, SIDE], **flags)
    vgg, inception = (slim.SLIM[name].evaluate(images, SIDE) for name in ("vgg", "inception"))
    np.testing.assert_allclose(vgg, whole[:, 16:240, 16:240], rtol=0, atol=2e-5)
    np.testing.assert_allclose(inception, cut, rtol=0, atol=2e-5)


def _box(draws: Any, height: int, width: int) -> list[int]:
    """A crop: attempt by attempt, as SampleDistortedBoundingBox tries them."""
    least, one = 0.05 * height * width, np.float32
    for aspect, u_tall, u_top, u_left in draws:
        ratio = one(0.75) + one(aspect) * one(1.33 - 0.75)
        low, high = (round(math.sqrt(area / ratio)) for area in (least, height * width))
        if round(high * ratio) > width:
            high = int((width + 0.5 - 1e-7) / ratio)
            high -= round(high * ratio) > width
        high = min(high, height)
        low = min(low, high)
        tall = low + int(u_tall * (high - low + 1))
        if tall * round(tall * ratio) < least:
            tall += 1
        if tall * round(tall * ratio) > height * width:
            tall -= 1
        wide = round(tall * ratio)
        if not (tall <= height and wide <= width and least <= tall * wide <= height * width):
            continue
        if tall * wide < 0.1 * height * width:  # the least part of the object
            continue
        return [int(u_top * (height - tall)), int(u_left * (width - wide)), tall, wide]
    return [0, 0, height, width]


@pytest.mark.parametrize(("height", "width"), [(32, 32), (20, 28), (8, 8), (5, 5)])
def test_crops_of_inception_are_those_of_the_first_good_attempt(height: int, width: int) -> None:
    draws = np.random.default_rng(3).random((300, 100, 4), np.float32)
    found = slim._boxes(tf.constant(draws), height, width).numpy()
    assert found.tolist() == [_box(each, height, width) for each in draws]


def test_without_a_good_attempt_the_crop_is_the_image() -> None:
    draws = np.zeros((1, 100, 4), np.float32)  # the least heights: below a tenth of the area
    assert slim._boxes(tf.constant(draws), 32, 32).numpy().tolist() == [[0, 0, 32, 32]]


def test_crops_of_inception_are_distributed_as_those_of_tensorflow() -> None:
    count = 1000
    draws = np.random.default_rng(4).random((count, 100, 4), np.float32)
    ours = slim._boxes(tf.constant(draws), 32, 32).numpy()
    theirs = []
    for seed in range(count):
        begin, size, _ = tf.raw_ops.StatelessSampleDistortedBoundingBox(
            image_size=[32, 32, 3],
            bounding_boxes=[[[0.0, 0.0, 1.0, 1.0]]],
            min_object_covered=0.1,
            seed=[seed, 0],
            aspect_ratio_range=[0.75, 1.33],
            area_range=[0.05, 1.0],
            max_attempts=100,
        )
        theirs.append([*begin.numpy()[:2], *size.numpy()[:2]])
    every = np.array(theirs)
    for column in range(4):
        spread = every[:, column].std() * math.sqrt(2 / count)
        assert abs(ours[:, column].mean() - every[:, column].mean()) < 3.5 * spread
    assert abs(ours.prod(axis=1).std() / every.prod(axis=1).std() - 1) < 0.2
    for boxes in (ours, every):
        assert (boxes[:, 2] * boxes[:, 3]).min() >= 103
        smaller = boxes[boxes[:, 2] < 32]
        assert (smaller[:, 0] + smaller[:, 2]).max() == 31  # the last place is never drawn


def _saturated(pixels: Any, factor: float) -> Any:
    """Pixels (..., 3) with another saturation in HSV, through hue."""
    value, least = pixels.max(axis=-1), pixels.min(axis=-1)
    chroma = value - least
    red, green, blue = np.moveaxis(pixels, -1, 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        sextant = np.select(
            [value == red, value == green],
            [(green - blue) / chroma, 2 + (blue - red) / chroma],
            4 + (red - green) / chroma,
        )
        saturation = np.where(value > 0, chroma / value, 0.0)
    sextant = np.where(chroma > 0, sextant, 0.0)
    saturation = np.clip(saturation * factor, 0, 1)
    shifted = (np.array([5.0, 3.0, 1.0]) + sextant[..., np.newaxis]) % 6
    ramp = np.clip(np.minimum(shifted, 4 - shifted), 0, 1)
    return value[..., np.newaxis] * (1 - saturation[..., np.newaxis] * ramp)


def _inception(image: Any, draws: Any, flip: bool) -> Any:
    top, left, tall, wide = _box(draws[3:].reshape(100, 4), *image.shape[:2])
    made = _enlarged(image[top : top + tall, left : left + wide] / 255, SIDE, SIDE)
    made = made[:, ::-1] if flip and draws[0] < 0.5 else made
    if image.shape[-1] == 3:
        brightness, saturation = draws[1:3].astype(np.float64)
        made = _saturated(made + (2 * brightness - 1) * 32 / 255, 0.5 + saturation)
    return (np.clip(made, 0, 1) - 0.5) * 2


@pytest.mark.parametrize("flip", [True, False], ids=["flip", "no flip"])
@pytest.mark.parametrize("shape", [COLOUR, GREY], ids=str)
def test_training_images_of_inception(shape: tuple[int, int, int], flip: bool) -> None:
    images, draws = _images(shape), _draws("inception")
    images[0] = images[0] // 8  # dark, and darkened below black
    draws[0, :3], draws[1, :3] = (0.1, 0.0, LAST), (0.9, LAST, 0.0)
    found = _made("inception", images, draws, flip)
    assert (found.shape, found.dtype) == ((5, SIDE, SIDE, shape[-1]), np.float32)
    for got, image, draw in zip(found, images, draws, strict=True):
        np.testing.assert_allclose(got, _inception(image, draw, flip), rtol=0, atol=1e-6)


def test_saturation_is_that_of_tensorflow() -> None:
    """For values outside 0 to 1 too, which brightness makes of an image."""
    pixels = np.random.default_rng(5).uniform(-0.2, 1.2, (1, 40, 40, 3)).astype(np.float32)
    for draw in (0.0, 0.3, LAST):
        found = slim._recoloured(pixels * 255, np.float32([0.5]), np.float32([draw]))
        expected = tf.clip_by_value(tf.image.adjust_saturation(pixels, 0.5 + draw), 0.0, 1.0)
        np.testing.assert_allclose(found / 255, expected, rtol=0, atol=1e-6)


@pytest.mark.slow
def test_xla_computes_the_same() -> None:
    images = _images()
    for name, one in slim.SLIM.items():
        draws = _draws(name)
        compiled = tf.function(lambda x, u, one=one: one.train(x, u, True, 64), jit_compile=True)
        expected = one.train(images, draws, True, 64)
        np.testing.assert_allclose(compiled(images, draws), expected, rtol=0, atol=2e-4)


def test_whole_pixels_are_those_of_the_window() -> None:
    images = _images()
    found = Preparation("vgg", slim_image_size=SIDE).pixels(images)
    assert found.dtype == tf.uint8
    expected = np.floor(slim.SLIM["vgg"].evaluate(images, SIDE).numpy() + 0.5)
    np.testing.assert_array_equal(found, expected)
