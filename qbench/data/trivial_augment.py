"""TrivialAugment: every training image gets one random operation of random strength.

Mueller and Hutter 2021, "TrivialAugment: Tuning-free Yet State-of-the-Art Data Augmentation",
with the 14 operations and the strengths of RandAugment (Cubuk et al. 2020), which are its default.
The operation and one of 31 strengths are drawn evenly, and a direction where there are two. Pixels
are computed as in Pillow: nearest neighbours, whole numbers, black outside of the image.

| operation | with strength m of 0 .. 30 |
| --- | --- |
| identity | nothing changes |
| auto_contrast | each channel is stretched to 0 .. 255 |
| equalize | the histogram of each channel becomes flat |
| rotate | about the centre, by m degrees either way |
| solarize | pixels from 256 - 256 m / 30 on are inverted |
| color, contrast, brightness, sharpness | the difference from the grey image, from its mean, from |
| | black or from the smoothed image is multiplied by 0.1 + 1.8 m / 30 |
| posterize | 8 - 4 m / 30 bits are kept |
| shear_x, shear_y | by 0.3 m / 30 either way |
| translate_x, translate_y | by 10 / 32 of the side, times m / 30, either way |

Images are (B, H, W, C) uint8. `color` changes images of three channels only.
"""

from __future__ import annotations

import math
from typing import Any

OPERATIONS = (
    *("identity", "auto_contrast", "equalize", "rotate", "solarize", "color", "posterize"),
    *("contrast", "brightness", "sharpness", "shear_x", "shear_y", "translate_x", "translate_y"),
)
STRENGTHS = 31


def chosen(draws: Any) -> tuple[Any, Any, Any]:
    """Operation, strength and direction of each image from (B, 3) uniform numbers in [0, 1).

    Returns:
        (B,) int32 indices of OPERATIONS, (B,) int32 strengths, (B,) float32 of -1 or 1.
    """
    import tensorflow as tf

    operation = tf.cast(draws[:, 0] * len(OPERATIONS), tf.int32)
    strength = tf.cast(draws[:, 1] * STRENGTHS, tf.int32)
    return operation, strength, tf.where(draws[:, 2] < 0.5, -1.0, 1.0)


def apply(images: Any, operation: Any, strength: Any, direction: Any) -> Any:
    """The images (B, H, W, C) uint8, each after its operation; arguments as `chosen` returns."""
    import tensorflow as tf

    pixels = tf.cast(images, tf.int32)
    grey = _grey(pixels)
    pixels = _by_table(pixels, _table(pixels, grey, operation, strength))
    factor = _factor(strength)
    if images.shape[-1] == 3:
        pixels = _where(operation, "color", _blend(grey, pixels, factor), pixels)
    pixels = _where(operation, "sharpness", _blend(_smooth(pixels), pixels, factor), pixels)
    return _moved(tf.cast(pixels, tf.uint8), operation, strength, direction)


def _is(operation: Any, name: str, *more: int) -> Any:
    """Whether an image gets an operation, (B, 1, ..., 1) bool with as many dimensions as told."""
    import tensorflow as tf

    return tf.reshape(operation, (-1, *more)) == OPERATIONS.index(name)


def _where(operation: Any, name: str, changed: Any, pixels: Any) -> Any:
    import tensorflow as tf

    return tf.where(_is(operation, name, 1, 1, 1), changed, pixels)


def _factor(strength: Any) -> Any:
    """(B, 1, 1, 1) float32, 0.1 to 1.9."""
    import tensorflow as tf

    share = tf.cast(strength, tf.float32) / (STRENGTHS - 1)
    return tf.reshape(0.1 + 1.8 * share, (-1, 1, 1, 1))


def _blend(start: Any, pixels: Any, factor: Any) -> Any:
    """Start + factor x (pixels - start), cut to 0 .. 255, without the fraction; int32."""
    import tensorflow as tf

    first = tf.cast(start, tf.float32)
    mixed = first + factor * (tf.cast(pixels, tf.float32) - first)
    return tf.cast(tf.clip_by_value(mixed, 0.0, 255.0), tf.int32)


def _grey(pixels: Any) -> Any:
    """(B, H, W, 1): the brightness of colour images (ITU-R 601-2), the mean of other channels."""
    import tensorflow as tf

    channels = pixels.shape[-1]
    if channels != 3:
        return tf.reduce_sum(pixels, axis=-1, keepdims=True) // channels
    weighted = pixels * tf.constant([19595, 38470, 7471])
    return (tf.reduce_sum(weighted, axis=-1, keepdims=True) + 2**15) // 2**16


def _smooth(pixels: Any) -> Any:
    """Each pixel with weight 5 and its eight neighbours, by 13; the frame stays."""
    import tensorflow as tf

    height, width = pixels.shape[1:3]
    if min(height, width) < 3:
        return pixels
    shifts = [(row, column) for row in range(3) for column in range(3)]
    total = 4 * pixels[:, 1:-1, 1:-1] + tf.add_n(
        [pixels[:, r : r + height - 2, c : c + width - 2] for r, c in shifts]
    )
    inner = tf.pad((2 * total + 13) // 26, [[0, 0], [1, 1], [1, 1], [0, 0]])
    inside = tf.pad(tf.ones((height - 2, width - 2, 1), tf.bool), [[1, 1], [1, 1], [0, 0]])
    return tf.where(inside, inner, pixels)


def _by_table(pixels: Any, table: Any) -> Any:
    """Each pixel through the table (B, C, 256) of its image and channel."""
    import tensorflow as tf

    return tf.transpose(
        tf.gather(table, tf.transpose(pixels, (0, 3, 1, 2)), axis=2, batch_dims=2), (0, 2, 3, 1)
    )


def _table(pixels: Any, grey: Any, operation: Any, strength: Any) -> Any:
    """(B, C, 256) int32: what becomes of each value; other operations change nothing."""
    import tensorflow as tf

    channels = pixels.shape[-1]
    values = tf.range(256)[tf.newaxis, tf.newaxis, :]
    level = tf.reshape(strength, (-1, 1, 1))
    factor = _factor(strength)[:, :, :, 0]
    mean = tf.reduce_mean(tf.cast(grey, tf.float32), axis=(1, 2, 3))
    mean = tf.reshape(tf.cast(mean + 0.5, tf.int32), (-1, 1, 1))
    kept = 2 ** (4 * level // (STRENGTHS - 1))
    solarized = tf.where(values < 256 - 256 * level // (STRENGTHS - 1), values, 255 - values)
    changed = {
        "auto_contrast": _stretched(pixels, values),
        "equalize": _equalized(pixels, values),
        "solarize": solarized,
        "posterize": values // kept * kept,
        "contrast": _blend(mean, values, factor),
        "brightness": _blend(tf.zeros_like(mean), values, factor),
    }
    table = tf.tile(values, (tf.shape(pixels)[0], channels, 1))
    for name, other in changed.items():
        table = tf.where(_is(operation, name, 1, 1), other, table)
    return table


def _stretched(pixels: Any, values: Any) -> Any:
    """The table that stretches the values of a channel to 0 .. 255."""
    import tensorflow as tf

    low = tf.reduce_min(pixels, axis=(1, 2))[:, :, tf.newaxis]
    width = tf.reduce_max(pixels, axis=(1, 2))[:, :, tf.newaxis] - low
    wide = tf.clip_by_value((values - low) * 255 // tf.maximum(width, 1), 0, 255)
    return tf.where(width > 0, wide, values)


def _equalized(pixels: Any, values: Any) -> Any:
    """The table that makes the histogram of a channel flat."""
    import tensorflow as tf

    count, channels = tf.shape(pixels)[0], pixels.shape[-1]
    images = tf.reshape(tf.range(count * channels) * 256, (count, 1, 1, channels))
    places = tf.reshape(pixels + images, (-1,))
    counts = tf.math.unsorted_segment_sum(tf.ones_like(places), places, count * channels * 256)
    counts = tf.reshape(counts, (count, channels, 256))
    present = tf.where(counts > 0, values, -1)
    last = tf.reduce_max(present, axis=2, keepdims=True)
    of_last = tf.reduce_sum(tf.where(values == last, counts, 0), axis=2, keepdims=True)
    step = (tf.reduce_sum(counts, axis=2, keepdims=True) - of_last) // 255
    below = tf.cumsum(counts, axis=2, exclusive=True)
    flat = tf.minimum((step // 2 + below) // tf.maximum(step, 1), 255)
    return tf.where(step > 0, flat, values)


def _moved(images: Any, operation: Any, strength: Any, direction: Any) -> Any:
    """The images after rotation, shear or translation; other operations move nothing."""
    import tensorflow as tf

    height, width, channels = images.shape[1:]
    share = direction * tf.cast(strength, tf.float32) / (STRENGTHS - 1)

    def amount(name: str, most: float) -> Any:
        return tf.where(_is(operation, name), share * most, 0.0)[:, tf.newaxis, tf.newaxis]

    def pixels(name: str, side: int) -> Any:
        whole = tf.cast(10 * side * strength // (32 * (STRENGTHS - 1)), tf.float32)
        moved = tf.where(_is(operation, name), direction * whole, 0.0)
        return moved[:, tf.newaxis, tf.newaxis]

    angle = amount("rotate", math.radians(30))
    sine, cosine = tf.sin(angle), tf.cos(angle)
    # The centres of the pixels, from the centre of the image for rotations.
    y = tf.range(height, dtype=tf.float32)[tf.newaxis, :, tf.newaxis] + 0.5
    x = tf.range(width, dtype=tf.float32)[tf.newaxis, tf.newaxis, :] + 0.5
    down, right = y - height / 2, x - width / 2
    rows = cosine * down + sine * right + height / 2
    columns = cosine * right - sine * down + width / 2
    rows = rows + amount("shear_y", 0.3) * x + pixels("translate_y", height)
    columns = columns + amount("shear_x", 0.3) * y + pixels("translate_x", width)
    row, column = (tf.cast(tf.floor(one), tf.int32) for one in (rows, columns))
    inside = (row >= 0) & (row < height) & (column >= 0) & (column < width)
    places = tf.where(inside, row * width + column, 0)
    flat = tf.reshape(images, (-1, height * width, channels))
    found = tf.gather(flat, places, axis=1, batch_dims=1)
    return tf.where(inside[..., tf.newaxis], found, tf.zeros_like(found))
