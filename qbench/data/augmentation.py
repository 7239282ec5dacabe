"""Augmentation of training images, at the images' own size unless slim's preprocessing makes them.

Each function works on a whole batch inside the training step's graph. Random values come from
`draws`, uniform numbers in [0, 1) that the caller derives from the seed and the step.

Sources: the crop of He et al. 2015 for CIFAR-10; `slim_vgg` and `slim_inception` are like slim's
preprocessings but keep the images' size. The originals, which enlarge images, are in
`qbench.data.slim`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from qbench.base.registry import Registry
from qbench.data import trivial_augment
from qbench.data.slim import SLIM

DRAWS = 7

Augmentation = Callable[[Any, Any, bool], Any]
"""(images (B, H, W, C) uint8, draws (B, DRAWS) float32, whether mirrored images keep their
target) -> images (B, H, W, C), uint8 or float32 in [0, 255]."""

AUGMENTATIONS: Registry[Augmentation] = Registry("data.augment", outside=False)


def _crop_and_flip(images: Any, draws: Any, flip: bool) -> Any:
    """Zero-pad by an eighth of the side, crop back at random, mirror half of the images."""
    import tensorflow as tf

    height, width = images.shape[1:3]
    down, right = height // 8, width // 8
    padded = tf.pad(images, [[0, 0], [down, down], [right, right], [0, 0]])
    rows = _offset(draws[:, 0], 2 * down + 1) + tf.range(height)
    columns = tf.range(width)[tf.newaxis, :]
    if flip:
        columns = tf.where(draws[:, 2:3] < 0.5, width - 1 - columns, columns)
    columns = _offset(draws[:, 1], 2 * right + 1) + columns
    cropped = tf.gather(padded, rows, axis=1, batch_dims=1)
    return tf.gather(cropped, columns, axis=2, batch_dims=1)


def _offset(draw: Any, positions: int) -> Any:
    """(B,) uniform draws -> (B, 1) whole numbers in [0, positions)."""
    import tensorflow as tf

    return tf.cast(draw * positions, tf.int32)[:, tf.newaxis]


def _slim_inception(images: Any, draws: Any, flip: bool) -> Any:
    """Crop 25..100 % of the area, aspect 3/4..4/3, and resize; mirror; recolour RGB images."""
    import tensorflow as tf

    height, width = images.shape[1:3]
    boxes = _boxes(draws, height, width)
    if flip:
        boxes = tf.where(draws[:, 4:5] < 0.5, tf.gather(boxes, [0, 3, 2, 1], axis=1), boxes)
    cropped = tf.image.crop_and_resize(
        tf.cast(images, tf.float32), boxes, tf.range(tf.shape(images)[0]), (height, width)
    )
    if images.shape[-1] != 3:
        return cropped
    brightness = (draws[:, 5] * 2.0 - 1.0) * 32.0
    saturation = draws[:, 6] + 0.5
    bright = (cropped + brightness[:, tf.newaxis, tf.newaxis, tf.newaxis]) / 255.0
    hue_saturation_value = tf.image.rgb_to_hsv(bright)
    scaled = hue_saturation_value[..., 1] * saturation[:, tf.newaxis, tf.newaxis]
    saturated = tf.stack(
        [
            hue_saturation_value[..., 0],
            tf.clip_by_value(scaled, 0.0, 1.0),
            hue_saturation_value[..., 2],
        ],
        axis=-1,
    )
    return tf.clip_by_value(tf.image.hsv_to_rgb(saturated), 0.0, 1.0) * 255.0


def _boxes(draws: Any, height: int, width: int) -> Any:
    """(B, 4) crops: top, left, bottom, right; 0 and 1 are the centres of the outer pixels."""
    import tensorflow as tf

    area = (0.25 + 0.75 * draws[:, 0]) * float(height * width)
    aspect = 0.75 + (4 / 3 - 0.75) * draws[:, 1]
    tall = tf.clip_by_value(tf.sqrt(area / aspect), 2.0, float(height))
    wide = tf.clip_by_value(tf.sqrt(area * aspect), 2.0, float(width))
    top = draws[:, 2] * (height - tall)
    left = draws[:, 3] * (width - wide)
    rows = _inside(top / (height - 1), (top + tall - 1.0) / (height - 1))
    columns = _inside(left / (width - 1), (left + wide - 1.0) / (width - 1))
    return tf.stack([rows[0], columns[0], rows[1], columns[1]], axis=1)


def _inside(first: Any, last: Any) -> tuple[Any, Any]:
    """The ends of a crop, moved inside the image by a small margin.

    Without the margin, rounding in crop_and_resize may put an end outside, where it paints black. A
    crop of the whole side keeps its ends, because their arithmetic is exact.
    """
    import tensorflow as tf

    whole = tf.logical_and(first <= 0.0, last >= 1.0)
    margin = tf.where(whole, 0.0, 1e-6)
    return tf.maximum(first, margin), tf.minimum(last, 1.0 - margin)


def _rand(images: Any, draws: Any, flip: bool) -> Any:
    """Crop and mirror, then one random operation; see `qbench.data.trivial_augment`."""
    cropped = _crop_and_flip(images, draws, flip)
    return trivial_augment.apply(cropped, *trivial_augment.chosen(draws[:, 3:6]))


def canonical(name: str) -> str:
    """The name of the augmentation that computes the same; names in identities are these.

    At the images' own size slim's augmentation for vgg is the usual crop.
    """
    return CROP if name == "slim_vgg" else name


class Chosen(Protocol):
    """The settings of training images, as the group `data` has them."""

    @property
    def preprocessing(self) -> str:
        """A name in `qbench.data.preprocessing.PREPROCESSING`."""

    @property
    def augmentation(self) -> str | None:
        """A name in AUGMENTATIONS; None if there is none."""

    @property
    def slim_image_size(self) -> int | None:
        """The side of the images that slim's preprocessing makes; None if it is not used."""


def training_images(chosen: Chosen) -> tuple[int, Augmentation]:
    """How training images are made: how many draws each needs, and the function.

    The settings must name an augmentation. With a slim_image_size the function makes images of this
    side, else of the images' own size.
    """
    if chosen.slim_image_size is None:
        assert chosen.augmentation is not None
        return DRAWS, AUGMENTATIONS[chosen.augmentation]
    slim, side = SLIM[chosen.preprocessing], chosen.slim_image_size
    return slim.draws, lambda images, draws, flip: slim.train(images, draws, flip, side)


CROP = "crop_flip"
AUGMENTATIONS.add(CROP, _crop_and_flip)
AUGMENTATIONS.add("slim_vgg", _crop_and_flip)
AUGMENTATIONS.add("slim_inception", _slim_inception)
AUGMENTATIONS.add("rand", _rand)
