"""Divides the training images of a data set into validation images and the rest.

The division is a function of the data, the size of the part and `data.validation_seed`. It does not
depend on the seed of a run, so all rows and seeds of a sweep are compared on the same images.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import replace
from decimal import ROUND_HALF_UP, Decimal
from functools import lru_cache
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from qbench.base import checks
from qbench.base.errors import QbenchError
from qbench.base.foreign import called, said
from qbench.data.dataset import Dataset, read_only
from qbench.data.rows import Images, subset

KEY = "data.validation"
# The second word of the generator's key. The order of batches has the number of an epoch there.
_STREAM = 2**62
_NAMED = 5  # strata that a message names


class Chosen(Protocol):
    """The settings of the validation part, as the group `data` has them."""

    @property
    def validation(self) -> float | None:
        """A share of the training images (float), a number of images (int), or None."""

    @property
    def validation_seed(self) -> int:
        """Another seed chooses other images."""


def split(data: Dataset, chosen: Chosen) -> Dataset:
    """The data with the validation images taken out of the training images.

    Args:
        data: the data as they were loaded.
        chosen: the settings of the validation part.

    Returns:
        The same data if no part is chosen. Otherwise `validation` holds the images and targets
        of the part, and the training images are the others. Both keep their order. Images on disk
        are not copied. `hash` stays the hash of the whole data.

    Raises:
        QbenchError: see `validation_indices`.
    """
    return _split(data, chosen.validation, chosen.validation_seed)


@lru_cache(maxsize=1)
def _split(data: Dataset, part: float | None, seed: int) -> Dataset:
    if part is None:
        return data
    taken = np.zeros(len(data.train_images), bool)
    taken[validation_indices(data, part, seed)] = True

    def chosen(which: NDArray[np.bool_]) -> tuple[Images, NDArray[Any]]:
        images = read_only(subset(data.train_images, which))
        return images, read_only(data.train_labels[which])

    images, labels = chosen(~taken)
    held_out = chosen(taken)
    return replace(data, train_images=images, train_labels=labels, validation=held_out, alike=None)


def validation_indices(data: Dataset, part: float, seed: int) -> NDArray[np.int64]:
    """The validation images, as ascending indices of training images.

    Every training image has a random number, the raw output of Philox for the key (seed, constant).
    numpy guarantees this output for all versions. Each stratum gives the images with its smallest
    numbers. The sizes of the strata's parts follow from the method of largest remainders, so each
    stratum gives its exact share, rounded up or down. Images that are alike have the number of the
    first of them, and are taken if all of them have room in the shares; so the part may be smaller.

    Args:
        data: the data as they were loaded.
        part: a share of the training images as a float, rounded to whole images, half up; or a
            number of images as an int.
        seed: the seed of the division.

    Raises:
        QbenchError: the data have validation images of their own, the part has no image (or no
            room for images that are alike), no
            training image is left, or no training image is left of a stratum.
    """
    if data.validation is not None:
        own = f"null, because {data.name} has {len(data.validation[0]):,} validation images already"
        raise checks.wrong(KEY, part, own)
    number = _number(data.name, part, len(data.train_images))
    names, strata = _strata(data)
    counts = np.bincount(strata)
    shares = largest_remainders(counts, number)
    if np.any(shares == counts):
        emptied = list(map(str, names[shares == counts]))
        more = f" and {len(emptied) - _NAMED} more" if len(emptied) > _NAMED else ""
        what = data.task.prediction_name
        raise checks.wrong(
            KEY,
            part,
            f"a part that leaves {data.name} a training image of each {what} (none would be left of"
            f" {what} {', '.join(emptied[:_NAMED])}{more})",
        )
    numbers = np.random.Philox(key=[seed, _STREAM]).random_raw(len(strata))
    if data.alike is not None:
        return _together(data, part, numbers, strata, shares)
    order = np.lexsort((numbers, strata))  # stratum by stratum
    places = np.arange(len(order)) - (np.cumsum(counts) - counts)[strata[order]]
    return np.sort(order[places < shares[strata[order]]])


def _together(
    data: Dataset,
    part: float,
    numbers: NDArray[np.uint64],
    strata: NDArray[np.int64],
    shares: NDArray[np.int64],
) -> NDArray[np.int64]:
    """The validation images, where images that are alike are on one side.

    Args:
        data: the data as they were loaded.
        part: the setting.
        numbers: (N,) the random number of each training image.
        strata: (N,) its stratum.
        shares: (S,) the largest number of images of each stratum.
    """
    assert data.alike is not None
    if data.alike.shape != numbers.shape:
        raise QbenchError(
            f"{data.name}: its reader returned alike of shape {data.alike.shape} for"
            f" {len(numbers):,} training images; expected one number for each."
        )
    groups: dict[int, list[int]] = {}
    for index, group in enumerate(data.alike.tolist()):
        groups.setdefault(group, []).append(index)
    left, of, taken = shares.tolist(), strata.tolist(), list[int]()
    for group in sorted(groups.values(), key=lambda group: numbers[group[0]]):
        wanted = Counter(of[index] for index in group)
        if all(left[stratum] >= count for stratum, count in wanted.items()):
            for stratum, count in wanted.items():
                left[stratum] -= count
            taken += group
    if not taken:
        more = "a larger part, because equal images are kept on one side and none of these fit"
        raise checks.wrong(KEY, part, more)
    return np.sort(np.array(taken, np.int64))


def part_hash(indices: NDArray[np.int64]) -> str:
    """SHA-256 of a division, from the result of `validation_indices`."""
    return hashlib.sha256(indices.astype("<i8").tobytes()).hexdigest()


def largest_remainders(counts: NDArray[np.int64], number: int) -> NDArray[np.int64]:
    """Divide a number among strata in proportion to their sizes, by largest remainders.

    Args:
        counts: (S,) sizes of the strata.
        number: the number to divide, at most the sum of the sizes.

    Returns:
        (S,) whole numbers with this sum. Each is its exact share, rounded up or down. If two
        remainders are equal, the first stratum comes first.
    """
    shares, remainders = np.divmod(counts * number, counts.sum())
    shares[np.argsort(-remainders, kind="stable")[: number - shares.sum()]] += 1
    return shares


def _number(name: str, part: float, images: int) -> int:
    """The number of validation images among this number of training images."""
    number = Decimal(str(part))
    if isinstance(part, float):
        number = (number * images).to_integral_value(ROUND_HALF_UP)
    if number < 1:
        raise checks.wrong(KEY, part, f"at least one of the {images:,} training images of {name}")
    if number >= images:
        raise checks.wrong(KEY, part, f"fewer than the {images:,} training images of {name}")
    return int(number)


def _strata(data: Dataset) -> tuple[NDArray[np.generic], NDArray[np.int64]]:
    """The names of the strata, and the stratum (N,) of each training image, counted from 0."""
    names, strata = _grouped(data)
    _, again = _grouped(data)
    if not np.array_equal(strata, again):
        raise QbenchError(
            f"task {data.task.name}: strata gives other labels for the same targets; validation"
            " images must be the same in every run."
        )
    return names, strata.astype(np.int64)


def _grouped(data: Dataset) -> tuple[NDArray[np.generic], NDArray[np.intp]]:
    """The different labels of the task's strata, and the number of each image's label (N,)."""
    images, task = len(data.train_images), data.task.name
    given = called(f"task {task}: strata", data.task.strata, data.train_labels.copy())
    try:
        labels = np.zeros(images, np.int64) if given is None else np.asarray(given)
        names, strata = np.unique(labels, return_inverse=True)
    except (TypeError, ValueError) as error:
        raise QbenchError(
            f"task {task}: strata gives labels that numpy does not sort ({said(error)})."
        ) from error
    if labels.shape != (images,):
        raise QbenchError(
            f"task {task}: strata gives shape {labels.shape}; expected one label for each of"
            f" {images:,} images."
        )
    return names, strata
