"""Each operation of TrivialAugment against Pillow, and the draws."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageEnhance, ImageOps

from qbench.base import device
from qbench.data.augmentation import AUGMENTATIONS, DRAWS
from qbench.data.trivial_augment import OPERATIONS, STRENGTHS, apply, chosen

SHAPE = (24, 20)


@pytest.fixture(scope="module", autouse=True)
def _tensorflow() -> None:
    device.start(2)


def _images(channels: int, count: int) -> Any:
    """Images with few and with many values: noise, ramps of some width, one colour."""
    generator = np.random.default_rng(4)
    noise = generator.integers(0, 256, (count, *SHAPE, channels))
    ramp = np.arange(SHAPE[1])[None, None, :, None] * generator.integers(1, 9, (count, 1, 1, 1))
    dark = generator.integers(20, 60, (count, *SHAPE, channels))
    flat = np.full_like(noise, 200)
    kinds = [noise, np.broadcast_to(ramp, noise.shape), dark, flat]
    return np.stack([kinds[k % 4][k] for k in range(count)]).astype(np.uint8)


def _enhanced(kind: Any) -> Callable[[Any, int, int], Any]:
    return lambda image, m, way: kind(image).enhance(0.1 + 1.8 * m / 30)


def _affine(image: Any, matrix: tuple[float, ...]) -> Any:
    return image.transform(image.size, Image.Transform.AFFINE, matrix)


WIDTH, HEIGHT = SHAPE[1], SHAPE[0]
PILLOW: dict[str, Callable[[Any, int, int], Any]] = {
    "identity": lambda image, m, way: image,
    "auto_contrast": lambda image, m, way: ImageOps.autocontrast(image),
    "equalize": lambda image, m, way: ImageOps.equalize(image),
    "rotate": lambda image, m, way: image.rotate(way * m),
    "solarize": lambda image, m, way: ImageOps.solarize(image, 256 - 256 * m // 30),
    "color": _enhanced(ImageEnhance.Color),
    "posterize": lambda image, m, way: ImageOps.posterize(image, 8 - 4 * m // 30),
    "contrast": _enhanced(ImageEnhance.Contrast),
    "brightness": _enhanced(ImageEnhance.Brightness),
    "sharpness": _enhanced(ImageEnhance.Sharpness),
    "shear_x": lambda image, m, way: _affine(image, (1, way * 0.3 * m / 30, 0, 0, 1, 0)),
    "shear_y": lambda image, m, way: _affine(image, (1, 0, 0, way * 0.3 * m / 30, 1, 0)),
    "translate_x": lambda image, m, way: _affine(
        image, (1, 0, way * (10 * WIDTH * m // 960), 0, 1, 0)
    ),
    "translate_y": lambda image, m, way: _affine(
        image, (1, 0, 0, 0, 1, way * (10 * HEIGHT * m // 960))
    ),
}
MOVING = ("rotate", "shear_x", "shear_y")
BLENDING = ("color", "contrast", "brightness", "sharpness")


def _by_pillow(name: str, image: Any, strength: int, way: int) -> Any:
    grey = image.shape[-1] == 1
    made = Image.fromarray(image[..., 0] if grey else image)
    return np.asarray(PILLOW[name](made, strength, way)).reshape(image.shape)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("name", OPERATIONS)
def test_every_operation_is_that_of_pillow(name: str, channels: int) -> None:
    """Of all strengths, both ways; a rotated pixel may be read from beside an edge."""
    images = _images(channels, 2 * STRENGTHS)
    operation = np.full(len(images), OPERATIONS.index(name), np.int32)
    strength = np.arange(len(images), dtype=np.int32) % STRENGTHS
    way = np.repeat([-1.0, 1.0], STRENGTHS).astype(np.float32)
    found = np.asarray(apply(images, operation, strength, way))
    assert (found.dtype, found.shape) == (np.uint8, images.shape)
    expected = np.stack(
        [_by_pillow(name, *of) for of in zip(images, strength.tolist(), way, strict=True)]
    )
    apart = np.abs(found.astype(int) - expected.astype(int))
    if name in MOVING:
        assert (apart > 0).mean() < 0.003
    else:
        assert apart.max() <= (0 if name not in ("auto_contrast", *BLENDING) else 1)
        assert (apart > 0).mean() < 0.03
    if name != "identity":
        changed = (expected != images).any(axis=(1, 2, 3)).mean()
        assert changed > (0.2 if name != "color" or channels == 3 else -1)


def test_operations_of_a_batch_do_not_mix() -> None:
    """Every image gets its own operation, the same as in a batch of its own."""
    images = _images(3, len(OPERATIONS))
    of = (np.arange(14, dtype=np.int32), np.arange(14, dtype=np.int32) * 2 + 1)
    way = np.where(np.arange(14) % 2, -1, 1).astype(np.float32)
    together = np.asarray(apply(images, *of, way))
    for k in range(14):
        one = slice(k, k + 1)
        alone = np.asarray(apply(images[one], of[0][one], of[1][one], way[one]))
        np.testing.assert_array_equal(together[one], alone)


def test_draws_reach_every_operation_strength_and_direction() -> None:
    below_1 = np.nextafter(np.float32(1), np.float32(0))
    ends = np.array([[0, 0, 0], [below_1] * 3, [0.5, 0.5, 0.5]], np.float32)
    operation, strength, way = (np.asarray(one) for one in chosen(ends))
    assert operation.tolist() == [0, 13, 7]
    assert strength.tolist() == [0, 30, 15]
    assert way.tolist() == [-1, 1, 1]


def test_rand_crops_and_mirrors_first() -> None:
    """Draws that choose the identity leave what the crop gives."""
    images = _images(3, 8)
    draws = np.random.default_rng(0).random((8, DRAWS), np.float32)
    draws[:, 3] = 0
    found = np.asarray(AUGMENTATIONS["rand"](images, draws, True))
    np.testing.assert_array_equal(found, AUGMENTATIONS["crop_flip"](images, draws, True))
    draws[:, 3] = 13 / 14
    draws[:, 4] = 0.99
    assert (np.asarray(AUGMENTATIONS["rand"](images, draws, True)) != found).any()


@pytest.mark.parametrize("channels", [1, 3])
def test_rand_works_under_xla(channels: int) -> None:
    import tensorflow as tf

    images = _images(channels, 16)
    draws = np.random.default_rng(1).random((16, DRAWS), np.float32)
    compiled = tf.function(
        lambda x, d: AUGMENTATIONS["rand"](x, d, True), autograph=False, jit_compile=True
    )
    plain = np.asarray(AUGMENTATIONS["rand"](images, draws, True)).astype(int)
    apart = np.abs(np.asarray(compiled(images, draws)).astype(int) - plain)
    assert (apart > 1).mean() < 0.003
