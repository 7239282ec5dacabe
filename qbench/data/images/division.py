"""Divides the files of one tree into training, validation and test images by their content.

The content of a file gives its rank in its class, and the rank decides about its part. So equal
files are always in the same part, and a renamed file stays in its part, but more files can move it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from qbench.data.validation import largest_remainders

TRAIN, TEST, VALIDATION = 0, 1, 2
NAMES = ("training", "test", "validation")


def drawn(content: str, seed: int) -> bytes:
    """The bytes that give a content its place in the order of a seed."""
    return hashlib.sha256(f"{seed} {content}".encode()).digest()


def divided(
    contents: Sequence[str],
    labels: NDArray[np.int64],
    shares: tuple[float, float, float],
    seed: int,
) -> NDArray[np.int64]:
    """The part of each content.

    The contents of a class are put in the order of `drawn`; the first ones are test images, the
    next ones validation images, the others training images. The sizes follow from the method of
    largest remainders over the classes, so each class gives its share of test images and of
    validation images, rounded up or down; but one content of each class always is a training image.

    Args:
        contents: (N,) different contents.
        labels: (N,) the class of each.
        shares: the shares of training, validation and test images; they add up to 1.
        seed: another seed gives other parts.

    Returns:
        (N,) TRAIN, TEST or VALIDATION.
    """
    counts = np.bincount(labels)
    total = len(contents)
    of_test = _sizes(counts, shares[2], total)
    of_validation = _sizes(counts - of_test, shares[1] / (1 - shares[2]), total - of_test.sum())
    keys = [drawn(one, seed) for one in contents]
    order = np.array(sorted(range(total), key=lambda k: (labels[k], keys[k])), np.int64)
    starts = np.cumsum(counts) - counts
    own = labels[order]
    places = np.arange(total) - starts[own]
    parts = np.full(total, TRAIN, np.int64)
    parts[order[places < (of_test + of_validation)[own]]] = VALIDATION
    parts[order[places < of_test[own]]] = TEST
    return parts


def _sizes(counts: NDArray[np.int64], share: float, total: int) -> NDArray[np.int64]:
    """The number of images that each class gives; one of each class stays."""
    number = int(np.floor(share * total + 0.5))
    return np.minimum(largest_remainders(counts, number), np.maximum(counts - 1, 0))
