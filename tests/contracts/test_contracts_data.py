"""The contract of data sets: digits and one from outside keep it, and each break is found."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import regression_task
from PIL import Image

from qbench.data import DATASETS, DataChoice, Source, load, source_of
from qbench.testing import check_data

RANDOM = np.random.default_rng(0)
IMAGES = RANDOM.integers(0, 256, (30, 4, 4, 1), np.uint8)
LABELS = np.arange(30) % 3
TEST = RANDOM.integers(0, 256, (15, 4, 4, 1), np.uint8)


def parts(
    images: Any = IMAGES, labels: Any = LABELS, test: Any = TEST, test_labels: Any = None
) -> Any:
    return images, labels, test, LABELS[::2] if test_labels is None else test_labels


SOURCE = Source((4, 4, 1), 3, flip=False, read=lambda folder: parts(), known={})


def of_folder(folder: Any) -> Any:
    return parts(np.load(folder / "images.npy"))


GOOD = {
    "digits": DATASETS["digits"],
    "fashion_part": DATASETS["fashion_part"],
    "spots": regression_task.SPOTS,
    "small": SOURCE,
}


@pytest.mark.parametrize("source", GOOD.values(), ids=GOOD.keys())
def test_a_data_set_keeps_it(source: Source) -> None:
    kept, names = load("digits", None), DATASETS.names()
    check_data(source)
    assert DATASETS.names() == names
    assert load("digits", None).hash == kept.hash


def test_a_data_set_of_a_folder_keeps_it(tmp_path: Path) -> None:
    np.save(tmp_path / "images.npy", IMAGES)
    check_data(replace(SOURCE, read=of_folder), tmp_path)


def test_a_folder_of_image_files_keeps_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QBENCH_CACHE", str(tmp_path / "cache"))
    for number, pixels in enumerate(IMAGES):
        path = tmp_path / "photos" / f"class {LABELS[number]}" / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels[..., 0]).save(path)
    arguments = {"split": [0.5, 0.5], "channels": 1}
    check_data(source_of(DataChoice("image_folder", str(tmp_path / "photos"), None, arguments)))


HELD = IMAGES.copy()
COUNT = itertools.count()


def _changing(folder: Any) -> Any:
    """It adds noise to the images that it returned before."""
    HELD[0] += 1
    return parts(HELD)


def _random(folder: Any) -> Any:
    return parts(RANDOM.permutation(IMAGES))


def reads(*given: Any, **named: Any) -> Source:
    return replace(SOURCE, read=lambda folder: parts(*given, **named))


def _fails(folder: Any) -> Any:
    raise OSError("nothing there")


BROKEN: dict[str, tuple[Any, str]] = {
    "no source": (parts, "are of type function; expected a Source"),
    "shape": (replace(SOURCE, shape=(4, 4)), r"shape is \(4, 4\); expected \(height"),
    "classes": (replace(SOURCE, classes=3.0), r"classes is 3\.0; expected a whole number"),
    "flip": (replace(SOURCE, flip="yes"), "flip is 'yes'; expected True or False"),
    "known": (replace(SOURCE, known=None), "known is None; expected a dictionary"),
    "no task": (replace(SOURCE, task=lambda classes: classes), "task makes int; expected a Task"),
    "other tasks": (
        replace(SOURCE, task=lambda classes: regression_task.Regression(next(COUNT))),
        "another task each time",
    ),
    "outputs": (
        replace(SOURCE, task=lambda classes: regression_task.Regression(1)),
        "the task has 1 outputs, and classes is 3",
    ),
    "it fails": (replace(SOURCE, read=_fails), "its reader failed at .*nothing there"),
    "three": (replace(SOURCE, read=lambda folder: parts()[:3]), "expected four arrays"),
    "no folder": (replace(SOURCE, read=of_folder), "its reader failed"),
    "scaled": (reads(IMAGES / 255), "images .* 255, rounded, as uint8"),
    "other shape": (replace(SOURCE, shape=(5, 4, 1)), r"expected uint8 of shape \(N, 5, 4, 1\)"),
    "empty": (reads(test=IMAGES[:0], test_labels=LABELS[:0]), "0 test images and 0 labels"),
    "few labels": (reads(labels=LABELS[1:]), "30 training images and 29 labels"),
    "beyond": (reads(labels=LABELS + 1), "training labels"),
    "fewer classes": (replace(SOURCE, classes=4), "classes is 4, and the largest label is 2"),
    "changed": (replace(SOURCE, read=_changing), "the reader changes train_images when"),
    "random": (replace(SOURCE, read=_random), "the reader returns other data when"),
    "the same": (
        reads(test=IMAGES, test_labels=LABELS),
        "the test images are the training images",
    ),
    "the same in part": (
        reads(test=np.concatenate([TEST[:13], IMAGES[:2]])),
        "2 of 15 test images are training images too; divide the images before",
    ),
    "scaled and rounded": (
        reads(IMAGES // 128, test=TEST // 128),
        "the pixels of train_images are 0 or 1; expected values from 0 to 255",
    ),
    "no first class": (
        replace(reads(labels=LABELS + 1, test_labels=LABELS[:15] + 1), classes=4),
        "no training image has the label 0; expected every label from 0 to 3",
    ),
    "a class only in the test": (
        reads(labels=np.where(LABELS == 1, 2, LABELS)),
        "no training image has the label 1; expected",
    ),
    "black": (reads(test=0 * TEST), "all pixels of test_images are 0"),
}


@pytest.mark.parametrize(("source", "says"), BROKEN.values(), ids=BROKEN.keys())
def test_each_break_is_found(source: Any, says: str) -> None:
    with pytest.raises(AssertionError, match=says):
        check_data(source)
