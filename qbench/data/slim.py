"""slim's preprocessings `vgg` and `inception`, which enlarge images to the size of the network.

They are those of TensorFlow's models, `research/slim/preprocessing` of 2018 and 2019, with the
defaults of slim's scripts; Kwasniewska et al. 2019 trained with them. Enlarging is bilinear on the
grid of TensorFlow 1, `tf.raw_ops.ResizeBilinear` without half-pixel centres: pixel i of n new ones
is read at i times the old length over n. All functions return pixels on the scale 0 to 255; the
numbers that the network reads follow in `qbench.data.preprocessing`.

Only the pixels of the final window are computed. They have the values that they would have if the
whole image were enlarged first.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

# vgg: the shorter side of the enlarged image, drawn in training (both ends are possible), and fixed
# in evaluation.
SIDES = (256, 512)
LARGEST = SIDES[0]
_EVALUATION_SIDE = 256

# inception: the crop as shares of the area, width over height, and what evaluation keeps of a side.
_AREA = (0.05, 1.0)
_COVERED = 0.1
_ASPECT = (0.75, 1.33)
_ATTEMPTS = 100
_CENTRE = 0.875
_BRIGHTNESS = 32.0
_SATURATION = (0.5, 1.5)


@dataclass(frozen=True)
class SlimPreprocessing:
    """How one of slim's preprocessings makes square images.

    Attributes:
        draws: how many uniform numbers a training image needs.
        train: (images (B, H, W, C) uint8, draws (B, draws) float32 in [0, 1), whether mirrored
            images keep their target, side) -> (B, side, side, C) float32 in [0, 255].
        evaluate: (images (B, H, W, C) uint8, side) -> (B, side, side, C) float32 in [0, 255].
    """

    draws: int
    train: Callable[[Any, Any, bool, int], Any]
    evaluate: Callable[[Any, int], Any]


@dataclass(frozen=True)
class _Axis:
    """Where new pixels are read along one axis, (B, n) each.

    Attributes:
        lower, upper: the old pixels before and behind, int32.
        share: the share of the old pixel behind, float32.
    """

    lower: Any
    upper: Any
    share: Any


def _axis(places: Any, old: Any, new: Any, first: Any = 0) -> _Axis:
    """The axis of a stretch of an image that is enlarged from `old` to `new` pixels.

    Args:
        places: the wanted pixels of the enlarged stretch, (B, n) int32.
        old: the length of the stretch, a number or (B, 1) int32.
        new: its new length, likewise.
        first: the first pixel of the stretch, likewise.
    """
    import tensorflow as tf

    scale = tf.cast(old, tf.float32) / tf.cast(new, tf.float32)
    source = tf.cast(places, tf.float32) * scale
    lower = tf.cast(source, tf.int32)
    share = source - tf.cast(lower, tf.float32)
    return _Axis(first + lower, first + tf.minimum(lower + 1, old - 1), share)


def _read(images: Any, rows: _Axis, columns: _Axis) -> Any:
    """The pixels (B, rows, columns, C) float32 of images (B, H, W, C), bilinear."""
    import tensorflow as tf

    images = tf.cast(images, tf.float32)
    left, right = (
        tf.gather(images, places, axis=2, batch_dims=1) for places in (columns.lower, columns.upper)
    )
    across = left + (right - left) * columns.share[:, tf.newaxis, :, tf.newaxis]
    top, bottom = (
        tf.gather(across, places, axis=1, batch_dims=1) for places in (rows.lower, rows.upper)
    )
    return top + (bottom - top) * rows.share[:, :, tf.newaxis, tf.newaxis]


def _whole(draw: Any, count: Any) -> Any:
    """Uniform draws -> whole numbers in [0, count), int32. TensorFlow draws at most 1 - 2^-23."""
    import tensorflow as tf

    return tf.cast(draw * tf.cast(count, tf.float32), tf.int32)


def _columns(side: int, draw: Any, flip: bool) -> Any:
    """The columns of a window from left to right; mirrored for draws below a half, (B, side)."""
    import tensorflow as tf

    columns = tf.range(side)[tf.newaxis, :]
    return tf.where(draw < 0.5, side - 1 - columns, columns) if flip else columns


def _for_each(images: Any, places: Any) -> Any:
    """The same places (n,) for each image: (B, n)."""
    import tensorflow as tf

    return tf.repeat(places[tf.newaxis, :], tf.shape(images)[0], axis=0)


def _lengths(images: Any, shorter: Any) -> list[Any]:
    """Height and width, int32, with the same proportions and this shorter side."""
    import tensorflow as tf

    old = images.shape[1:3]
    scale = tf.cast(shorter, tf.float32) / float(min(old))
    return [tf.cast(tf.round(length * scale), tf.int32) for length in map(float, old)]


def _vgg_train(images: Any, draws: Any, flip: bool, side: int) -> Any:
    """Enlarge to a shorter side of 256 to 512, crop at random, mirror half of the images."""
    import tensorflow as tf

    height, width = images.shape[1:3]
    tall, wide = _lengths(images, SIDES[0] + _whole(draws[:, 0:1], SIDES[1] - SIDES[0] + 1))
    rows = _whole(draws[:, 1:2], tall - side + 1) + tf.range(side)
    columns = _whole(draws[:, 2:3], wide - side + 1) + _columns(side, draws[:, 3:4], flip)
    return _read(images, _axis(rows, height, tall), _axis(columns, width, wide))


def _vgg_evaluate(images: Any, side: int) -> Any:
    """Enlarge to a shorter side of 256, and take the centre."""
    import tensorflow as tf

    axes = [
        _axis(_for_each(images, (new - side) // 2 + tf.range(side)), old, new)
        for old, new in zip(images.shape[1:3], _lengths(images, _EVALUATION_SIDE), strict=True)
    ]
    return _read(images, *axes)


def _inception_train(images: Any, draws: Any, flip: bool, side: int) -> Any:
    """Crop at random, resize without regard to proportions, mirror; recolour RGB images."""
    import tensorflow as tf

    height, width = images.shape[1:3]
    attempts = tf.reshape(draws[:, 3:], (-1, _ATTEMPTS, 4))
    top, left, tall, wide = tf.split(_boxes(attempts, height, width), 4, axis=1)
    rows = tf.range(side)[tf.newaxis, :]
    columns = _columns(side, draws[:, 0:1], flip)
    made = _read(images, _axis(rows, tall, side, top), _axis(columns, wide, side, left))
    return _recoloured(made, draws[:, 1], draws[:, 2]) if images.shape[-1] == 3 else made


def _boxes(draws: Any, height: int, width: int) -> Any:
    """Crops (B, 4) int32: top, left, height, width.

    This is TensorFlow's op SampleDistortedBoundingBox for one object that fills the image. So it
    has its habits: the height is drawn evenly, not the area; the last place of a crop that is
    smaller than the image is never drawn; and since a crop must cover a tenth of the object, an
    area below a tenth is drawn again. If no attempt succeeds, the crop is the whole image.

    Args:
        draws: (B, attempts, 4) float32: aspect, height, top, left.
        height: height of the images.
        width: width of the images.
    """
    import tensorflow as tf

    least, most = (share * float(height * width) for share in _AREA)
    aspect = _ASPECT[0] + draws[..., 0] * (_ASPECT[1] - _ASPECT[0])
    low = tf.round(tf.sqrt(least / aspect))
    high = tf.round(tf.sqrt(most / aspect))
    fitting = tf.floor((width + 0.5) / aspect)
    high = tf.minimum(tf.where(tf.round(high * aspect) > width, fitting, high), float(height))
    low = tf.minimum(low, high)
    tall = low + tf.floor(draws[..., 1] * (high - low + 1.0))
    tall += tf.cast(tall * tf.round(tall * aspect) < least, tf.float32)  # one row is missing
    wide = tf.round(tall * aspect)
    inside = tf.logical_and(tall <= height, wide <= width)
    good = inside & (tall * wide >= max(least, _COVERED * height * width))
    top = tf.floor(draws[..., 2] * (height - tall))
    left = tf.floor(draws[..., 3] * (width - wide))
    every = tf.stack([top, left, tall, wide], axis=-1)
    first = tf.reduce_min(tf.where(good, tf.range(_ATTEMPTS), _ATTEMPTS - 1), axis=1)
    found = tf.cast(tf.gather(every, first, axis=1, batch_dims=1), tf.int32)
    whole = tf.constant([0, 0, height, width])
    return tf.where(tf.reduce_any(good, axis=1)[:, tf.newaxis], found, whole)


def _recoloured(images: Any, brightness: Any, saturation: Any) -> Any:
    """Add to all pixels, then scale the saturation of HSV, and clip to [0, 255].

    With hue and value fixed, a pixel moves on the line between its grey of the same value and full
    saturation. So this needs no hue.

    Args:
        images: (B, H, W, 3) float32.
        brightness: uniform draws (B,).
        saturation: likewise.
    """
    import tensorflow as tf

    added = (brightness * 2.0 - 1.0) * _BRIGHTNESS
    factor = _SATURATION[0] + saturation * (_SATURATION[1] - _SATURATION[0])
    bright = images + added[:, tf.newaxis, tf.newaxis, tf.newaxis]
    red, green, blue = tf.split(bright, 3, axis=-1)  # a CPU reduces an axis of three slowly
    value = tf.maximum(tf.maximum(red, green), blue)
    spread = value - tf.minimum(tf.minimum(red, green), blue)
    # The saturation is at most 1. A negative value stays one, and is clipped.
    full = tf.math.divide_no_nan(value, spread)
    factor = tf.minimum(factor[:, tf.newaxis, tf.newaxis, tf.newaxis], full)
    return tf.clip_by_value(value - (value - bright) * factor, 0.0, 255.0)


def _inception_evaluate(images: Any, side: int) -> Any:
    """Take the centre, 87.5 % of each side, and resize it without regard to proportions."""
    import tensorflow as tf

    axes = []
    for length in images.shape[1:3]:
        first = int((length - length * _CENTRE) / 2)
        places = _for_each(images, tf.range(side))
        axes.append(_axis(places, length - 2 * first, side, first))
    return _read(images, *axes)


SLIM = {
    "vgg": SlimPreprocessing(4, _vgg_train, _vgg_evaluate),
    "inception": SlimPreprocessing(3 + 4 * _ATTEMPTS, _inception_train, _inception_evaluate),
}
"""slim's preprocessings by their names in `data.preprocessing`."""
