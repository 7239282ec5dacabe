"""Images and labels in every form that readers give them: the same data, or one sentence."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ml_dtypes
import numpy as np
import pandas as pd
import pytest

from qbench.base.errors import QbenchError
from qbench.data import arrays
from qbench.tasks.classification import Classification

SHAPE, CLASSES = (3, 4, 1), 5
LABELS = np.array([0, 4, 2, 2, 1, 3])
ONE_HOT = np.eye(CLASSES)[LABELS]
PIXELS = np.random.default_rng(0).integers(0, 256, (6, *SHAPE), np.uint8)
PIXELS[0, 0, :2, 0] = (0, 255)
NARROW = PIXELS // 2  # fits into int8
FLOATS = PIXELS.astype(np.float32)

Case = tuple[Any, ...]


def _part(images: Any, labels: Any, shape: tuple[int, int, int] = SHAPE, classes: int = 5) -> Any:
    return arrays.part("mine", "training", images, labels, shape, Classification(classes))


def _refusal(images: Any, labels: Any, **changed: Any) -> str:
    with pytest.raises(QbenchError) as error:
        _part(images, labels, **changed)
    said = str(error.value)
    assert said.startswith("mine: ")
    assert "training" in said
    assert "\n" not in said
    assert said.endswith(".")
    return said


class Tensor:
    """An array of another library: all that numpy can ask it for."""

    def __init__(self, values: Any) -> None:
        self.values = values

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        return np.asarray(self.values, dtype)


class Elsewhere:
    """Values that cannot be had."""

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        raise TypeError("move it to\nthe CPU first")


TYPES = ["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", ">i4", ">u2"]
TYPES += ["float16", "float32", "float64", "longdouble", ">f8", ml_dtypes.bfloat16]


@pytest.mark.parametrize("kind", TYPES, ids=str)
@pytest.mark.parametrize("form", [LABELS, LABELS[:, np.newaxis], ONE_HOT], ids=["N", "N1", "hot"])
def test_labels_of_every_type_and_shape(kind: Any, form: Any) -> None:
    images, labels = _part(PIXELS, form.astype(kind))
    assert images is PIXELS or np.array_equal(images, PIXELS)
    assert (labels.dtype, labels.shape) == (np.int64, (6,))
    assert labels.tolist() == LABELS.tolist()


OTHER_FORMS: dict[str, Any] = {
    "list": LABELS.tolist(),
    "tuple": tuple(LABELS.tolist()),
    "list of lists": LABELS[:, np.newaxis].tolist(),
    "list of numpy numbers": list(LABELS.astype(np.uint8)),
    "one-hot lists": ONE_HOT.tolist(),
    "one-hot truth values": ONE_HOT.astype(bool),
    "three dimensions": LABELS.reshape(6, 1, 1),
    "series": pd.Series(LABELS, index=range(10, 16)),
    "frame": pd.DataFrame({"label": LABELS}),
    "matrix": np.asmatrix(LABELS).T,
    "tensor": Tensor(LABELS),
    "reversed view": LABELS[::-1].copy()[::-1],
    "masked nowhere": np.ma.masked_array(LABELS),
}


@pytest.mark.parametrize("form", OTHER_FORMS.values(), ids=OTHER_FORMS.keys())
def test_labels_that_are_no_plain_array(form: Any) -> None:
    labels = _part(PIXELS, form)[1]
    assert (labels.dtype, labels.tolist()) == (np.int64, LABELS.tolist())


@pytest.mark.parametrize(
    ("labels", "classes", "expected"),
    [
        ([True, False, True], 2, [1, 0, 1]),
        ([[True], [False], [True]], 2, [1, 0, 1]),
        ([[False, True], [True, False], [False, True]], 2, [1, 0, 1]),
        ([[0], [0], [0]], 1, [0, 0, 0]),  # a label an image, no one-hot rows without their 1
        (np.eye(3)[[2, 0, 0]], 3, [2, 0, 0]),  # as many images as classes: rows are images
    ],
)
def test_labels_that_could_be_read_in_two_ways(labels: Any, classes: int, expected: Any) -> None:
    assert _part(PIXELS[:3], labels, classes=classes)[1].tolist() == expected


def _changed(form: Any, index: Any, value: Any) -> Any:
    form = form.copy()
    form[index] = value
    return form


FLOAT = LABELS.astype(np.float64)
WRONG_LABELS: dict[str, Case] = {
    "fraction": (_changed(FLOAT, 2, 1.5), "float64 of shape (6,)", "number 2 is 1.5"),
    "nearly whole": (_changed(FLOAT, 1, 3.9999999), "float64 of shape (6,)", "number 1 is 3.99"),
    "nan": (_changed(FLOAT, 2, np.nan), "float64 of shape (6,)", "not all finite"),
    "infinite": (_changed(FLOAT, 2, np.inf), "float64 of shape (6,)", "not all finite"),
    "text": (["0", "4", "2", "2", "1", "3"], "text (<U1) of shape (6,)", "0 to 4"),
    "bytes": ([b"0"] * 6, "bytes (|S1) of shape (6,)", "0 to 4"),
    "names": (np.array(["cat"] * 6, object), "objects (object) of shape (6,)", "0 to 4"),
    "a gap": ([0, None, 2, 2, 1, 3], "objects (object) of shape (6,)", "0 to 4"),
    "enormous": ([0, 2**70, 2, 2, 1, 3], "objects (object) of shape (6,)", "0 to 4"),
    "complex": (LABELS + 0j, "complex128 of shape (6,)", "whole numbers"),
    "dates": (LABELS.astype("datetime64[D]"), "datetime64[D] of shape (6,)", "whole numbers"),
    "fields": (np.zeros(6, [("label", "i8")]), "of shape (6,)", "whole numbers"),
    "ragged": (
        [[0], [4, 2], [2], [1], [3], [0]],
        "of type list, of which numpy makes no",
        "ValueError",
    ),
    "masked": (np.ma.masked_array(LABELS, LABELS == 4), "int64 of shape (6,)", "masked"),
    "missing in a table": (
        pd.array([0, 4, None, 2, 1, 3], dtype="Int64"),
        "(6,)",
        "not all finite",
    ),
    "none": (None, "one value of type NoneType", "expected an array"),
    "a number": (3, "one value of type int", "expected an array"),
    "a generator": ((k for k in range(6)), "one value of type generator", "expected an array"),
    "a device's": (Elsewhere(), "of type Elsewhere", "TypeError: move it to the CPU first"),
    "one too few": (LABELS[:5], "6 training images and 5 labels", "int64 of shape (5,)"),
    "one too many": ([*LABELS, 0], "6 training images and 7 labels", "int64 of shape (7,)"),
    "empty": ([], "6 training images and 0 labels", "float64 of shape (0,)"),
    "a row": (LABELS[np.newaxis], "6 training images and 1 labels", "int64 of shape (1, 6)"),
    "one-hot columns": (ONE_HOT.T, "6 training images and 5 labels", "float64 of shape (5, 6)"),
    "a class too few": (ONE_HOT[:, :4], "float64 of shape (6, 4)", "one-hot rows of shape (6, 5)"),
    "a class too many": (np.eye(6), "float64 of shape (6, 6)", "one-hot rows of shape (6, 5)"),
    "two ones": (_changed(ONE_HOT, (3, 0), 1), "float64 of shape (6, 5)", "first: row 3"),
    "no one": (_changed(ONE_HOT, 4, 0), "float64 of shape (6, 5)", "1 rows", "first: row 4"),
    "twos": (ONE_HOT * 2, "float64 of shape (6, 5)", "6 rows", "first: row 0"),
    "smoothed": (ONE_HOT * 0.9 + 0.02, "float64 of shape (6, 5)", "6 rows"),
    "one and nan": (_changed(ONE_HOT, (1, 0), np.nan), "float64 of shape (6, 5)", "first: row 1"),
    "minus ones": (ONE_HOT * 2 - 1, "float64 of shape (6, 5)", "6 rows"),
    "images": (PIXELS, "uint8 of shape (6, 3, 4, 1), as images are", "order"),
    "rows of rows": (np.zeros((6, 5, 1)), "float64 of shape (6, 5, 1)", "of shape (6,) or (6, 1)"),
    "negative": (LABELS - 1, "labels from -1 to 3; expected 0 to 4", "int64 of shape (6,)"),
    "from one": (LABELS + 1, "labels from 1 to 5; expected 0 to 4", "subtract 1", "(6,)"),
    "uint64 that wraps": (
        _changed(LABELS.astype(np.uint64), 0, 2**64 - 1),
        "labels from 1 to 18446744073709551615",
        "uint64 of shape (6,)",
    ),
    "float beyond int64": (_changed(FLOAT, 0, 1e300), "to 1e+300", "float64 of shape (6,)"),
    "column out of range": (LABELS[:, np.newaxis] + 9, "labels from 9 to 13", "shape (6, 1)"),
    "truth values": (LABELS > 2, "bool of shape (6,)", "two classes"),
}


@pytest.mark.parametrize("case", WRONG_LABELS.values(), ids=WRONG_LABELS.keys())
def test_wrong_labels_are_shown(case: Case) -> None:
    said = _refusal(PIXELS, case[0])
    for text in case[1:]:
        assert text in said


def test_one_hot_is_not_offered_for_one_class() -> None:
    said = _refusal(PIXELS, np.zeros((6, 2)), classes=1)
    assert said.endswith("expected whole numbers from 0 to 0 of shape (6,) or (6, 1).")


IMAGES: dict[str, tuple[Any, Any]] = {
    "without channels": (PIXELS[..., 0], PIXELS),
    "lists": (PIXELS.tolist(), PIXELS),
    "lists without channels": (PIXELS[..., 0].tolist(), PIXELS),
    "list of arrays": (list(PIXELS), PIXELS),
    "tensor": (Tensor(PIXELS), PIXELS),
    "int8": (NARROW.astype(np.int8), NARROW),
    **{str(kind): (PIXELS.astype(kind), PIXELS) for kind in (*TYPES[1:11], *TYPES[11:15])},
    "bfloat16": (np.full_like(PIXELS, 8).astype(ml_dtypes.bfloat16), np.full_like(PIXELS, 8)),
    "columns first in memory": (np.asfortranarray(PIXELS), PIXELS),
    "black": (np.zeros_like(PIXELS), np.zeros_like(PIXELS)),
    "0 and 1 as integers": ((PIXELS > 9).astype(np.int64), (PIXELS > 9).astype(np.uint8)),
}


@pytest.mark.parametrize(("form", "expected"), IMAGES.values(), ids=IMAGES.keys())
def test_images_of_every_type_and_shape(form: Any, expected: Any) -> None:
    images = _part(form, LABELS)[0]
    assert (images.dtype, images.shape) == (np.uint8, (6, *SHAPE))
    assert images.flags.c_contiguous
    np.testing.assert_array_equal(images, expected)


WRONG_IMAGES: dict[str, Case] = {
    "0..1": (FLOATS / 255, "float32 of shape (6, 3, 4, 1)", "from 0.0 to 1.0", "images * 255"),
    "only 0 and 1": (np.round(FLOATS / 255), "float32", "from 0.0 to 1.0", "images * 255"),
    "-1..1": (FLOATS / 127.5 - 1, "float32", "from -1.0 to 1.0", "(images + 1) * 127.5"),
    "fractions": (FLOATS * 0.99, "float32", "whole numbers from 0 to 255", "round them"),
    "one fraction": (_changed(FLOATS, (5, 2, 3, 0), 0.5), "float32", "round them"),
    "mean subtracted": (FLOATS - 121, "from -121.0 to 134.0", "before they are normalised"),
    "nan": (_changed(FLOATS, (1, 0, 0, 0), np.nan), "float32", "not finite"),
    "infinite": (_changed(FLOATS, (1, 0, 0, 0), np.inf), "float32", "not finite"),
    "16 bits": (PIXELS.astype(np.uint16) * 257, "uint16", "0 to 65535", "8 bits a channel"),
    "just too large": (PIXELS.astype(np.int64) + 1, "int64", "1 to 256", "8 bits a channel"),
    "negative": (PIXELS.astype(np.int8), "int8", "from -128", "8 bits a channel"),
    "truth values": (PIXELS > 9, "bool of shape (6, 3, 4, 1)", "multiply them by 255"),
    "text": (PIXELS.astype(str), "text (<U3) of shape (6, 3, 4, 1)", "0 to 255"),
    "complex": (PIXELS + 0j, "complex128 of shape (6, 3, 4, 1)", "0 to 255"),
    "objects": (PIXELS.astype(object), "objects (object) of shape (6, 3, 4, 1)", "0 to 255"),
    "different sizes": ([PIXELS[0], PIXELS[1, :2]], "of type list, of which numpy makes no array"),
    "none": (None, "one value of type NoneType", "expected an array"),
    "empty": ([], "0 training images and 6 labels", "at least one"),
    "empty of a shape": (PIXELS[:0], "0 training images and 6 labels", "uint8 of shape (0, 3, 4"),
    "channels first": (PIXELS.transpose(0, 3, 1, 2), "(6, 1, 3, 4)", "transpose(0, 2, 3, 1)"),
    "numbers last": (np.moveaxis(PIXELS, 0, -1), "uint8 of shape (3, 4, 1, 6)", "moveaxis"),
    "flat": (PIXELS.reshape(6, 12), "uint8 of shape (6, 12)", "(N, 3, 4, 1) or (N, 3, 4)", "flat"),
    "turned": (PIXELS.transpose(0, 2, 1, 3), "uint8 of shape (6, 4, 3, 1)", "(N, 3, 4, 1)"),
    "one image": (PIXELS[0], "uint8 of shape (3, 4, 1)", "(N, 3, 4, 1)"),
    "colour": (np.repeat(PIXELS, 3, axis=3), "uint8 of shape (6, 3, 4, 3)", "(N, 3, 4, 1)"),
    "five dimensions": (PIXELS[..., np.newaxis], "uint8 of shape (6, 3, 4, 1, 1)", "(N, 3, 4, 1)"),
    "labels": (LABELS, "int64 of shape (6,)", "(N, 3, 4, 1)"),
}


@pytest.mark.parametrize("case", WRONG_IMAGES.values(), ids=WRONG_IMAGES.keys())
def test_wrong_images_are_shown(case: Case) -> None:
    said = _refusal(case[0], LABELS)
    for text in case[1:]:
        assert text in said


COLOUR = np.repeat(PIXELS, 3, axis=3)
WRONG_COLOUR: dict[str, Callable[[Any], Any]] = {
    "grey": lambda images: images[..., 0],
    "one channel": lambda images: images[..., :1],
    "with opacity": lambda images: np.concatenate([images, images[..., :1]], axis=3),
    "channels first": lambda images: images.transpose(0, 3, 1, 2),
}


@pytest.mark.parametrize("change", WRONG_COLOUR.values(), ids=WRONG_COLOUR.keys())
def test_colour_is_never_guessed(change: Callable[[Any], Any]) -> None:
    wrong = change(COLOUR)
    said = _refusal(wrong, LABELS, shape=(3, 4, 3))
    assert f"uint8 of shape {wrong.shape}; expected uint8 of shape (N, 3, 4, 3)" in said
