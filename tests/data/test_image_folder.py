"""`data=image_folder`: images, classes, parts, settings."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from image_files import noise, tree, write
from image_folders import SPLIT, read, refused, shown
from PIL import Image

from qbench.base.errors import QbenchError
from qbench.config.groups import Data
from qbench.data import DataChoice, source_of, split
from qbench.data.images import contents, decoding, reader
from qbench.data.images.budget import Budget
from qbench.data.rows import Rows

pytestmark = pytest.mark.usefixtures("own_cache")


def test_a_tree_is_divided_and_every_image_has_its_label(photos: Path) -> None:
    data = read(photos, split=SPLIT)
    assert data.class_names == ("c0", "c1", "c2")
    assert [len(data.train_labels), len(data.test_labels)] == [21, 6]
    assert np.bincount(data.train_labels).tolist() == [7, 7, 7]
    parts = shown(data)
    known = {(k, noise(1000 * k + n).tobytes()) for k in range(3) for n in range(10)}
    assert set.union(*parts.values()) == known
    assert sum(map(len, parts.values())) == 30


def test_names_do_not_count_and_the_seed_does(photos: Path) -> None:
    first = read(photos, split=SPLIT)
    (photos / "c1" / "3.png").rename(photos / "c1" / "zä ö.PNG")
    assert read(photos, split=SPLIT).hash == first.hash
    other = read(photos, split=SPLIT, split_seed=1)
    assert other.hash != first.hash and shown(other)["test"] != shown(first)["test"]


def test_a_seed_without_a_division_changes_nothing(divided: Path) -> None:
    assert read(divided, split_seed=1).hash == read(divided).hash


def test_given_parts_are_kept(divided: Path) -> None:
    parts = shown(read(divided))
    for number, part in enumerate(("train", "test", "validation")):
        known = {(k, 1000 * k + 100 * number + n) for k in range(3) for n in range(4 - number)}
        assert parts[part] == {(k, noise(seed).tobytes()) for k, seed in known}


def test_equal_files_are_never_in_two_parts(photos: Path) -> None:
    for number in range(10):
        shutil.copy(photos / "c0" / "0.png", photos / "c0" / f"copy {number}.png")
    data = read(photos, split=SPLIT)
    parts = shown(data)
    assert sum((0, noise(0).tobytes()) in part for part in parts.values()) == 1
    counts = [len(data.train_labels), len(data.test_labels), 0]
    counts[2] = len(data.validation[1]) if data.validation else 0
    assert sum(counts) == 40


@pytest.mark.parametrize("seed", range(3))
def test_a_validation_part_keeps_equal_files_together(divided: Path, seed: int) -> None:
    shutil.rmtree(divided / "validation")
    first, second = divided / "train" / "c0", divided / "train" / "c1"
    for number in range(16):
        shutil.copy(first / "0.png", first / f"copy {number}.png")
        write(second / f"more {number}.png", noise(500 + number))
    chosen = Data(name="image_folder", validation=12, validation_seed=seed)
    data = split(read(divided), chosen)
    assert data.validation is not None
    both = data.train_images, data.validation[0]
    rest, taken = ({one.tobytes() for one in np.asarray(images)} for images in both)
    assert taken and not rest & taken


def test_sizes_are_resized_or_refused_with_a_proposal(photos: Path) -> None:
    write(photos / "c0" / "wide.png", noise(5, 60, 70))
    said = refused(photos, split=SPLIT)
    assert said.startswith("the images have 2 sizes: 8 x 6 (30), 70 x 60 (1); set the side in")
    assert said.endswith("for example data.resolution=6.")
    data = read(photos, split=SPLIT, resolution=12, fit="pad", background=9, channels=1)
    assert data.train_images.shape == (22, 12, 12, 1)
    assert source_of(DataChoice("image_folder", str(photos), 12, {"split": SPLIT})).shape == (
        12,
        12,
        3,
    )


def test_equal_sizes_need_no_resolution(photos: Path) -> None:
    assert read(photos, split=SPLIT).train_images.shape[1:] == (6, 8, 3)


def test_a_class_without_test_images_is_noted(divided: Path) -> None:
    shutil.rmtree(divided / "test" / "c1")
    assert read(divided).provenance == "1 class without test images: c1"
    shutil.rmtree(divided / "train" / "c1")
    said = refused(divided)
    assert said.startswith("1 class of validation/ not in train/ (c1); expected training")


def test_a_class_with_one_image_is_a_training_image(photos: Path) -> None:
    write(photos / "single" / "x.png", noise(77))
    data = read(photos, split=SPLIT)
    assert 3 in data.train_labels
    assert data.provenance == "1 class without test images: single"


def test_one_test_image_is_enough(divided: Path) -> None:
    shutil.rmtree(divided / "test")
    write(divided / "test" / "c2" / "x.png", noise(77))
    data = read(divided)
    assert (len(data.test_images), data.test_labels.tolist()) == (1, [2])


@pytest.mark.parametrize(
    ("argument", "value"),
    [("resize", "cubic"), ("fit", "zoom"), ("channels", 4), ("background", 300),
     ("damaged", "ignore"), ("split_seed", -1), ("flip", "yes")],
)  # fmt: skip
def test_other_values_are_refused(photos: Path, argument: str, value: Any) -> None:
    with pytest.raises(QbenchError, match=rf"^data\.{argument}={value} is not allowed: expected "):
        read(photos, split=SPLIT, **{argument: value})


def test_a_small_share_without_test_images(tmp_path: Path) -> None:
    said = refused(tree(tmp_path / "few", 2, 2), split=[0.9, 0.1])
    assert said == "no test image (data.split leaves none); expected at least one."


def test_large_data_stay_on_disk_with_the_same_hash(
    photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = read(photos, split=SPLIT, resolution=6)
    monkeypatch.setattr("qbench.data.images.parts._IN_MEMORY", 0)
    data = read(photos, split=SPLIT, resolution=6)
    assert isinstance(data.train_images, Rows) and data.hash == known.hash
    monkeypatch.setattr(reader, "decoded", lambda *given: pytest.fail("decoded again"))
    assert read(photos, split=SPLIT, resolution=6, split_seed=3).hash != known.hash


@pytest.mark.parametrize(
    ("name", "value"),
    [("channels", 1), ("background", 7), ("fit", "crop"), ("resize", "box"), ("resolution", 5)],
)
def test_the_cache_tells_settings_apart(photos: Path, name: str, value: Any) -> None:
    usual = {"split": SPLIT, "resolution": 4, "fit": "pad"}
    assert read(photos, **usual).hash != read(photos, **(usual | {name: value})).hash


def test_pixels_are_those_of_the_settings(photos: Path) -> None:
    data = read(photos, split=SPLIT, resolution=4, fit="crop", resize="box", channels=1)
    image = Image.fromarray(noise(0)).convert("L").crop((1, 0, 7, 6))
    expected = (0, np.asarray(image.resize((4, 4), Image.Resampling.BOX)).tobytes())
    assert expected in set.union(*shown(data).values())


def test_pixels_and_bytes_are_counted_until_an_image_is_resized(
    photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held, seen, known = [], [], reader.resized

    class Counted(Budget):
        @contextmanager
        def taken(self, part: int) -> Iterator[None]:
            held.append(part)
            yield
            held.remove(part)

    def resized(*given: Any) -> Any:
        seen.append(sorted(held))
        return known(*given)

    size = (photos / "c0" / "0.png").stat().st_size
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {0})
    monkeypatch.setattr(contents, "_HELD", Counted(0))
    monkeypatch.setattr(decoding, "_PIXELS", Counted(0))
    monkeypatch.setattr(reader, "resized", resized)
    read(photos, split=SPLIT, resolution=4)
    assert len(seen) == 30 and not held
    assert all(48 in one and len(one) == 2 for one in seen) and [48, size] in seen
