"""The images: drawn here, so that the study runs as it is. Replace them with your own."""

import numpy as np

from qbench.data import Source


def drawn(count, seed):
    """Images (count, 24, 24, 3) of a disc, a square, a cross or a ring, and their classes."""
    random = np.random.default_rng(seed)
    labels = np.arange(count) % 4
    row, column, size = random.uniform([8, 8, 4], [16, 16, 7], (count, 3)).T[..., None, None]
    y, x = np.mgrid[:24, :24]
    down, right = np.abs(y - row), np.abs(x - column)
    away = np.hypot(down, right)
    disc, square = away < size, np.maximum(down, right) < size * 0.9
    cross = (np.minimum(down, right) < 1.5) & (np.maximum(down, right) < size)
    ring = disc & (away > size - 2.5)
    shapes = np.stack([disc, square, cross, ring])[labels, np.arange(count)]
    colours = random.uniform(-110, 110, (count, 1, 1, 3))
    images = 120 + shapes[..., None] * colours + random.normal(0, 10, (count, 24, 24, 3))
    return images.clip(0, 255).astype(np.uint8), labels


def read(folder):
    """Training images and classes, test images and classes; `folder` is the setting data.dir."""
    return *drawn(4000, seed=1), *drawn(1000, seed=2)


# The shape of an image, the number of classes, and whether a mirrored image keeps its class.
IMAGES = Source((24, 24, 3), 4, flip=True, read=read, known={})
