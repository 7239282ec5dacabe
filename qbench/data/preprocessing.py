"""Preprocessing of images for the network, at their own size unless `data.resolution` is set.

Sources: the slim preprocessings `vgg` and `inception` that Kwasniewska et al. 2019 used. The
originals for 224 pixels differ (docs/protocol.md).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qbench.base.registry import Registry

CHANNEL_MEANS = (123.68, 116.78, 103.94)  # red, green, blue


@dataclass(frozen=True)
class Preprocessing:
    """A way to turn uint8 images into the network's input.

    Attributes:
        augment: the augmentation that comes with it, a name in
            `qbench.data.augmentation.AUGMENTATIONS`.
        scale: images (B, H, W, C), uint8 or float32 in [0, 255] -> float32 network input.
    """

    augment: str
    scale: Callable[[Any], Any]


PREPROCESSING: Registry[Preprocessing] = Registry("data.preprocessing")


def network_input(images: Any, preprocessing: str, resolution: int | None) -> Any:
    """The input of a network: (B, H, W, C) uint8, or float32 in [0, 255], -> float32.

    With a resolution the shape is (B, resolution, resolution, C), without (B, H, W, C).
    """
    if resolution is not None:
        images = resized(images, resolution)
    return PREPROCESSING[preprocessing].scale(images)


def input_shape(shape: Sequence[int], resolution: int | None) -> tuple[int, int, int]:
    """The shape of `network_input` for an image of shape (height, width, channels)."""
    height, width, channels = shape
    return (resolution or height, resolution or width, channels)


def resized(images: Any, side: int) -> Any:
    """Resize images (B, H, W, C) to (B, side, side, C) float32, bilinear with antialiasing.

    The method is that of `tf.image.resize(antialias=True)`, but computed with two matrix products,
    which every device and XLA support.
    """
    import tensorflow as tf

    height, width = images.shape[1:3]
    rows, columns = (tf.constant(_mixing(n, side), tf.float32) for n in (height, width))
    return tf.einsum("rh,bhwc,sw->brsc", rows, tf.cast(images, tf.float32), columns)


def _mixing(old: int, new: int) -> NDArray[np.float64]:
    """(new, old) weights of the old pixels in each new pixel: a triangle around its centre."""
    scale = old / new
    centres = (np.arange(new) + 0.5) * scale
    distances = np.abs(np.arange(old) + 0.5 - centres[:, np.newaxis])
    shares = np.maximum(0.0, 1.0 - distances / max(scale, 1.0))
    result: NDArray[np.float64] = shares / shares.sum(axis=1, keepdims=True)
    return result


def _vgg_scale(images: Any) -> Any:
    """Subtract the channel means (grey: their mean); no division."""
    import tensorflow as tf

    grey = sum(CHANNEL_MEANS) / 3
    means = CHANNEL_MEANS if images.shape[-1] == 3 else (grey,) * images.shape[-1]
    return tf.cast(images, tf.float32) - tf.constant(means, tf.float32)


def _inception_scale(images: Any) -> Any:
    """Rescale [0, 255] to [-1, 1]."""
    import tensorflow as tf

    return tf.cast(images, tf.float32) / 127.5 - 1.0


PREPROCESSING.add("vgg", Preprocessing("slim_vgg", _vgg_scale))
PREPROCESSING.add("inception", Preprocessing("slim_inception", _inception_scale))
