"""Images and labels in the forms that readers give them -> the one form that is trained on.

This form is uint8 (N, height, width, channels) and int64 (N,). A value is never changed on the way:
what would need rounding, scaling or guessing is refused in a sentence that says what was seen.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from qbench.base.errors import QbenchError

ORDER = "training images, training labels, test images, test labels"
_WORDS = {"U": "text", "S": "bytes", "O": "objects"}


def part(
    name: str, which: str, images: Any, labels: Any, shape: tuple[int, int, int], classes: int
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Images and labels of one part of a data set, checked and in the form that is trained on.

    Args:
        name: the data set, for messages.
        which: `training` or `test`.
        images: array-like, (N, height, width, channels), or (N, height, width) of one channel;
            numbers that are whole, 0 to 255, of any type but truth values. Floats that are
            nowhere above 1 are refused, also 0 and 1 alone: they are taken for scaled images.
        labels: array-like, whole numbers of any type, 0 to classes - 1, of shape (N,) or (N, 1);
            or one-hot rows (N, classes). Shape (N, 1) is a label an image, also with one class.
            Truth values are labels where there are two classes.
        shape: (height, width, channels) of an image.
        classes: number of classes.

    Raises:
        QbenchError: anything else.
    """
    seen = f"{name}: the {which} images"
    pixels = _array(seen, images)
    _check_shape(seen, pixels, shape)
    given = _array(f"{name}: the {which} labels", labels)
    if given.ndim > 2 and given.shape[1:] == pixels.shape[1:]:
        raise QbenchError(
            f"{name}: the {which} labels are {_said(given)}, as images are; the order is {ORDER}."
        )
    if len(pixels) == 0 or len(given) != len(pixels):
        raise QbenchError(
            f"{name}: {len(pixels)} {which} images and {len(given)} labels, {_said(pixels)} and"
            f" {_said(given)}; expected as many of one as of the other, and at least one."
        )
    return _uint8(seen, pixels).reshape(-1, *shape), _indices(name, which, given, classes)


def _array(what: str, value: Any) -> NDArray[Any]:
    """Whatever numpy makes an array of; at least one dimension."""
    try:
        array = np.asarray(value)
    except Exception as error:  # numpy asks the object itself, which may raise anything
        said = " ".join(str(error).split())
        raise QbenchError(
            f"{what} are of type {type(value).__name__}, of which numpy makes no array"
            f" ({type(error).__name__}: {said})."
        ) from error
    if array.ndim == 0:
        raise QbenchError(
            f"{what} are one value of type {type(value).__name__}; expected an array, one row an"
            " image."
        )
    if isinstance(value, np.ma.MaskedArray) and np.ma.is_masked(value):
        raise QbenchError(f"{what} are {_said(array)} and partly masked; expected all values.")
    return array


def _said(array: NDArray[Any]) -> str:
    """Type and shape, for a person."""
    word = _WORDS.get(array.dtype.kind)
    return f"{f'{word} ({array.dtype})' if word else array.dtype} of shape {array.shape}"


def _numbers(array: NDArray[Any]) -> NDArray[Any] | None:
    """The array if it holds real numbers; types that numpy does not have itself as float32."""
    if array.dtype.kind in "biuf":
        return array
    if array.dtype.kind == "V" and np.can_cast(array.dtype, np.float32):  # bfloat16 and smaller
        return array.astype(np.float32)
    return None


def _check_shape(what: str, images: NDArray[Any], shape: tuple[int, int, int]) -> None:
    """Refuses images of another shape; what is empty is refused where images are counted."""
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
        f"{what} are {_said(images)}; expected uint8 of shape {expected}"
        + (f"; {hint}." if hint else ".")
    )


def _uint8(what: str, images: NDArray[Any]) -> NDArray[np.uint8]:
    """Images of whole numbers from 0 to 255 as uint8."""
    if images.dtype == np.uint8:
        return np.ascontiguousarray(images)
    numbers = _numbers(images)
    if numbers is None or numbers.dtype.kind == "b":
        hint = ": multiply them by 255 as uint8" if images.dtype.kind == "b" else ""
        raise QbenchError(
            f"{what} are {_said(images)}; expected uint8, or whole numbers from 0 to 255{hint}."
        )
    low, high = numbers.min(), numbers.max()
    hint = _advice(numbers, low, high)
    if not hint:
        result = numbers.astype(np.uint8, order="C")
        if np.array_equal(result, numbers):
            return result
        hint = "they have fractions: round them and convert them to uint8"
    raise QbenchError(
        f"{what} are {_said(images)} with values from {low} to {high}; expected uint8, or whole"
        f" numbers from 0 to 255; {hint}."
    )


def _advice(numbers: NDArray[Any], low: Any, high: Any) -> str:
    """What to do with images whose range is not that of 8 bits; empty if it is."""
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


def _indices(name: str, which: str, labels: NDArray[Any], classes: int) -> NDArray[np.int64]:
    """Labels (N,) int64 in [0, classes); see `part`."""
    what = f"{name}: the {which} labels are {_said(labels)}"
    count = len(labels)
    expected = f"expected whole numbers from 0 to {classes - 1} of shape ({count},) or ({count}, 1)"
    if classes > 1:
        expected += f", or one-hot rows of shape ({count}, {classes})"
    numbers = _numbers(labels)
    if numbers is None:
        raise QbenchError(f"{what}; {expected}.")
    if numbers.size == count:
        numbers = numbers.reshape(count)
    elif numbers.shape == (count, classes):
        return _places(what, numbers, expected)
    else:
        raise QbenchError(f"{what}; {expected}.")
    if numbers.dtype.kind == "b" and classes != 2:
        raise QbenchError(f"{what}, truth values, which tell only two classes apart; {expected}.")
    low, high = numbers.min(), numbers.max()
    if numbers.dtype.kind == "f" and not (np.isfinite(low) and np.isfinite(high)):
        raise QbenchError(f"{what} and not all finite; {expected}.")
    if low < 0 or high >= classes:
        hint = ", so subtract 1 if they count from 1" if (low, high) == (1, classes) else ""
        raise QbenchError(
            f"{name}: {which} labels from {low} to {high}; expected 0 to {classes - 1}{hint}"
            f" (they are {_said(labels)})."
        )
    result = numbers.astype(np.int64)
    wrong = np.flatnonzero(result != numbers)
    if len(wrong):
        first = wrong[0]
        raise QbenchError(
            f"{what} with fractions (number {first} is {numbers[first]}); {expected}."
        )
    return result


def _places(what: str, rows: NDArray[Any], expected: str) -> NDArray[np.int64]:
    """Where the 1 stands in each one-hot row."""
    wrong = np.flatnonzero(((rows == 1).sum(axis=1) != 1) | ((rows != 0).sum(axis=1) != 1))
    if len(wrong):
        raise QbenchError(
            f"{what}, of which {len(wrong)} rows are not a single 1 among zeros (first: row"
            f" {wrong[0]}); {expected}."
        )
    places: NDArray[np.int64] = rows.argmax(axis=1).astype(np.int64)
    return places
