"""Turns the images and targets that a reader returns into the form for training.

This form is uint8 (N, height, width, channels) for images; for targets the task defines it. No
value is changed, scaled, rounded or guessed. Any other form is an error, and its message says what
was found.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from qbench.base.errors import QbenchError, all_of
from qbench.base.given_arrays import real_numbers, said
from qbench.data.rows import Images, Rows
from qbench.tasks.task import Task

ORDER = "training images, training labels, test images, test labels"


def part(
    name: str, which: str, images: Any, labels: Any, shape: tuple[int, int, int], task: Task
) -> tuple[Images, NDArray[Any]]:
    """Check the images and targets of one part of a data set; return them in the form for training.

    Args:
        name: the name of the data set, for error messages.
        which: `training` or `test`.
        images: array-like or Rows, (N, height, width, channels), or (N, height, width) with one
            channel; whole numbers from 0 to 255 of any type except truth values. Floats of at most
            1 are refused, even if they are only 0 and 1, because they look like scaled images.
        labels: array-like, in any form that the task accepts.
        shape: (height, width, channels) of an image.
        task: checks the targets.

    Raises:
        QbenchError: the images or the targets have another form.
    """
    seen = f"{name}: the {which} images"
    pixels = images if isinstance(images, Rows) else _array(seen, images)
    _check_shape(seen, pixels, shape)
    given = _array(f"{name}: the {which} labels", labels)
    if given.ndim > 2 and given.shape[1:] == pixels.shape[1:] and not task.targets_are_images:
        raise QbenchError(
            f"{name}: the {which} labels are {said(given)}, as images are; the order is {ORDER}."
        )
    if len(pixels) == 0 or len(given) != len(pixels):
        raise QbenchError(
            f"{name}: {len(pixels)} {which} images and {len(given)} labels, {said(pixels)} and"
            f" {said(given)}; expected the same number of both, and at least one."
        )
    found = all_of(
        name, lambda: whole_pixels(seen, pixels, shape), lambda: task.targets(name, which, given)
    )
    return found[0], found[1]


def whole_pixels(what: str, images: NDArray[Any] | Rows, shape: tuple[int, int, int]) -> Images:
    """Images of the right shape or without channels as uint8 (N, *shape); on disk if they were."""
    if isinstance(images, Rows):
        return Rows(_uint8(what, images.images).reshape(-1, *shape), images.rows)
    return _uint8(what, images).reshape(-1, *shape)


def _array(what: str, value: Any) -> NDArray[Any]:
    """Any value that numpy accepts, as an array with at least one dimension."""
    try:
        array = np.asarray(value)
    except Exception as error:  # numpy calls methods of the object; they may raise any exception
        message = " ".join(str(error).split())
        raise QbenchError(
            f"{what} are of type {type(value).__name__}, of which numpy makes no array"
            f" ({type(error).__name__}: {message})."
        ) from error
    if array.ndim == 0:
        raise QbenchError(
            f"{what} are one value of type {type(value).__name__}; expected an array, one row an"
            " image."
        )
    if isinstance(value, np.ma.MaskedArray) and np.ma.is_masked(value):
        raise QbenchError(f"{what} are {said(array)} and partly masked; expected all values.")
    return array


def _check_shape(what: str, images: NDArray[Any] | Rows, shape: tuple[int, int, int]) -> None:
    """Refuse images of another shape; another check refuses empty arrays."""
    height, width, channels = shape
    allowed = [shape, (height, width)] if channels == 1 else [shape]
    if len(images) == 0 or images.shape[1:] in allowed:
        return
    hints = {
        (channels, height, width): "their channels come first: images.transpose(0, 2, 3, 1)",
        (height * width * channels,): "they are flat: reshape them, minding their channels' order",
    }
    hint = hints.get(images.shape[1:], "")
    if images.shape[:-1] == shape:
        hint = "their numbers come last: numpy.moveaxis(images, -1, 0)"
    expected = " or ".join(f"(N, {', '.join(map(str, each))})" for each in allowed)
    raise QbenchError(
        f"{what} are {said(images)}; expected uint8 of shape {expected}"
        + (f"; {hint}." if hint else ".")
    )


def _uint8(what: str, images: NDArray[Any]) -> NDArray[np.uint8]:
    """Images of whole numbers from 0 to 255 as uint8."""
    if images.dtype == np.uint8:
        return np.ascontiguousarray(images)
    numbers = real_numbers(images)
    if numbers is None or numbers.dtype.kind == "b":
        hint = ": multiply them by 255 as uint8" if images.dtype.kind == "b" else ""
        raise QbenchError(
            f"{what} are {said(images)}; expected uint8, or whole numbers from 0 to 255{hint}."
        )
    low, high = numbers.min(), numbers.max()
    hint = _advice(numbers, low, high)
    if not hint:
        result = numbers.astype(np.uint8, order="C")
        if np.array_equal(result, numbers):
            return result
        hint = "they have fractions: round them and convert them to uint8"
    raise QbenchError(
        f"{what} are {said(images)} with values from {low} to {high}; expected uint8, or whole"
        f" numbers from 0 to 255; {hint}."
    )


def _advice(numbers: NDArray[Any], low: Any, high: Any) -> str:
    """The advice for images with values outside the range of 8 bits; empty if all are inside."""
    fits = low >= 0 and high <= 255
    if numbers.dtype.kind != "f":
        scale = "images have 8 bits a channel here: scale them to 0 to 255, as uint8"
        return "" if fits else scale
    if not (np.isfinite(low) and np.isfinite(high)):
        return "some are not finite"
    if low >= -1 and high <= 1:
        scaled = "(images + 1) * 127.5" if low < 0 else "images * 255"
        return f"take {scaled}, rounded, as uint8"
    return "" if fits else "give the pixels before they are normalised, as uint8"
