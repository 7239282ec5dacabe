"""What a reader returns and raises; one hash for every form of the same data."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from qbench.base.errors import QbenchError
from qbench.data import DATASETS, Source, load

IMAGES = np.random.default_rng(0).integers(0, 256, (4, 2, 3, 1), np.uint8)
LABELS = np.array([0, 2, 1, 1])
TEST, TEST_LABELS = IMAGES[:2], LABELS[:2]
FOUR = (IMAGES, LABELS, TEST, TEST_LABELS)
# Of these very arrays, from before other forms were taken: a run's id follows from it.
HASH = "f0b4b99bd8a5"


@pytest.fixture(autouse=True)
def _nothing_kept() -> Iterator[None]:
    load.cache_clear()
    yield
    load.cache_clear()


def _load(monkeypatch: pytest.MonkeyPatch, read: Any, folder: str | None = None) -> Any:
    source = Source((2, 3, 1), 3, flip=False, read=read, known={})
    monkeypatch.setitem(DATASETS._items, "mine", source)
    return load("mine", folder)


FORMS: dict[str, Any] = {
    "four": FOUR,
    "a list": list(FOUR),
    "as Keras does": ((IMAGES, LABELS), (TEST, TEST_LABELS)),
    "lists of lists": ([IMAGES.tolist(), LABELS.tolist()], [TEST.tolist(), TEST_LABELS.tolist()]),
    "small labels": (IMAGES, LABELS.astype(np.uint8), TEST, TEST_LABELS.astype(np.int16)),
    "float labels": (IMAGES, LABELS.astype(np.float32), TEST, TEST_LABELS[:, np.newaxis]),
    "one-hot": (IMAGES, np.eye(3)[LABELS], TEST, np.eye(3, dtype=bool)[TEST_LABELS]),
    "other images": (IMAGES[..., 0].astype(np.float64), LABELS, TEST.astype(">i2"), TEST_LABELS),
    "no copies": (np.asfortranarray(IMAGES), LABELS, IMAGES[::-1][:1:-1], TEST_LABELS),
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS.keys())
def test_every_form_has_the_hash_of_the_plain_one(
    form: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = _load(monkeypatch, lambda folder: form)
    assert data.hash.startswith(HASH)
    assert data.train_labels.dtype == data.test_labels.dtype == np.int64


WRONG: dict[str, tuple[Any, str]] = {
    "nothing": (None, "returned something of type NoneType;"),
    "a dictionary": ({"x": IMAGES, "y": LABELS}, "returned something of type dict;"),
    "an array": (IMAGES, "returned something of type ndarray;"),
    "one part": ((IMAGES, LABELS), "returned a tuple of 2 (ndarray, ndarray);"),
    "three": (FOUR[:3], "returned a tuple of 3 (ndarray, ndarray, ndarray);"),
    "a generator": ((item for item in FOUR), "returned something of type generator;"),
}


@pytest.mark.parametrize(("result", "says"), WRONG.values(), ids=WRONG.keys())
def test_another_form_is_named(result: Any, says: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(QbenchError, match="expected four arrays") as error:
        _load(monkeypatch, lambda folder: result)
    assert str(error.value).startswith(f"mine: its reader {says}")


@pytest.mark.parametrize(
    ("order", "says"),
    [
        (
            (0, 2, 1, 3),
            "the training labels are uint8 of shape (2, 2, 3, 1), as images are; the order",
        ),
        ((1, 0, 3, 2), "the training images are int64 of shape (4,)"),
        ((0, 1, 3, 2), "the test images are int64 of shape (2,)"),
        ((2, 1, 0, 3), "2 training images and 4 labels, uint8 of shape (2, 2, 3, 1) and int64"),
    ],
)
def test_another_order_is_seen(
    order: tuple[int, ...], says: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with pytest.raises(QbenchError) as error:
        _load(monkeypatch, lambda folder: [FOUR[k] for k in order], str(tmp_path))
    said = str(error.value)
    assert said.startswith(f"mine ({tmp_path}): ")
    assert says in said


def _in_numpy(folder: Any) -> Any:
    return np.load(folder / "absent.npz")  # numpy raises


def _in_a_helper(folder: Any) -> Any:
    return _helper()


def _helper() -> Any:
    raise ValueError("two\nlines.")  # helper raises


def _without_words(folder: Any) -> Any:
    assert folder is None  # assertion


def _without_parameters() -> Any:
    return FOUR


RAISING = [
    (_in_numpy, "# numpy raises", "FileNotFoundError: [Errno 2] No such file"),
    (_in_a_helper, "# helper raises", "(ValueError: two lines)."),
    (_without_words, "# assertion", "AssertionError"),
]


@pytest.mark.parametrize(("read", "mark", "says"), RAISING)
def test_what_a_reader_raises_is_told_with_its_place(
    read: Any, mark: str, says: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    lines = Path(__file__).read_text().splitlines()
    line = next(number for number, text in enumerate(lines, 1) if text.endswith(mark))
    with pytest.raises(QbenchError) as error:
        _load(monkeypatch, read, str(tmp_path))
    said = str(error.value)
    assert said.startswith(f"mine ({tmp_path}): its reader failed at {__file__}:{line} (")
    assert says in said
    assert "\n" not in said


@pytest.mark.parametrize("read", [_without_parameters, None, int], ids=["none", "null", "C"])
def test_a_reader_without_a_place(read: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(QbenchError, match=r"^mine: its reader failed \(TypeError: "):
        _load(monkeypatch, read)


def test_a_readers_own_sentence_is_left_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    def read(folder: Any) -> Any:
        raise QbenchError("data.dir=null: mine needs a folder.")

    with pytest.raises(QbenchError, match=r"^data\.dir=null: mine needs a folder\.$"):
        _load(monkeypatch, read)


@pytest.mark.parametrize(
    ("folder", "said"),
    [
        ("x" * 300, "cannot be read ("),
        ("~no-such-user/data", "no such folder"),
        ("~no-such-user", "no such folder"),
    ],
    ids=["long", "below", "home"],
)
def test_a_folder_that_cannot_be_asked_for_is_named(folder: str, said: str) -> None:
    with pytest.raises(QbenchError) as error:
        load("mnist", folder)
    assert str(error.value).startswith(f"data.dir={folder}: {said}")
