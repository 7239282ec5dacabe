"""`data=image_folder`: what a folder may hold, and where."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from image_files import noise, tree, write
from image_folders import SPLIT, read, refused, shown

from qbench.data import DataChoice, source_of

pytestmark = pytest.mark.usefixtures("own_cache")


def test_hidden_files_and_folders_are_ignored(photos: Path) -> None:
    known = read(photos, split=SPLIT).hash
    for name in (".DS_Store", "c0/.hidden.png", "c1/Thumbs.db", "c2/desktop.ini", "README.md"):
        (photos / name).write_text("x")
    for name in ("__MACOSX", ".git", "c0/__MACOSX"):
        write(photos / name / "x.png", noise(77))
    assert read(photos, split=SPLIT).hash == known


@pytest.mark.parametrize("name", ["plain", "a.b", "1.0"])
def test_a_name_without_a_known_ending_says_no_format(photos: Path, name: str) -> None:
    known = read(photos, split=SPLIT).hash
    (photos / "c1" / "3.png").rename(photos / "c1" / name)
    assert read(photos, split=SPLIT).hash == known


def test_a_link_to_itself_beside_class_folders_is_no_class(photos: Path) -> None:
    (photos / "self").symlink_to("self")
    assert read(photos, split=SPLIT).class_names == ("c0", "c1", "c2")


def test_folders_in_a_class_and_links_to_folders(photos: Path, tmp_path: Path) -> None:
    write(photos / "c0" / "more" / "deep" / "x.png", noise(77))
    (photos / "c3").symlink_to(tree(tmp_path / "elsewhere", classes=1, first=500) / "c0")
    data = read(photos, split=SPLIT)
    assert data.class_names == ("c0", "c1", "c2", "c3")
    assert sum(len(part) for part in shown(data).values()) == 41


def test_one_folder_beside_classes_may_be_a_class(photos: Path) -> None:
    write(photos / "test" / "x.png", noise(77))
    assert read(photos, split=SPLIT).class_names == ("c0", "c1", "c2", "test")


def test_ten_thousand_classes_are_listed(tmp_path: Path) -> None:
    file = write(tmp_path / "x.png", noise(0))
    for number in range(10_000):
        folder = tmp_path / "many" / f"{number:05}"
        folder.mkdir(parents=True)
        os.link(file, folder / "x.png")
    source = source_of(DataChoice("image_folder", str(tmp_path / "many"), 6, {"split": SPLIT}))
    assert (source.classes, source.class_names[-1], source.shape) == (10_000, "09999", (6, 6, 3))


def _images_directly(folder: Path) -> None:
    write(folder / "1.jpg", noise(0))


def _images_in_train(folder: Path) -> None:
    tree(folder / "train"), tree(folder / "test", first=50)
    write(folder / "train" / "1.jpg", noise(0))


def _no_test(folder: Path) -> None:
    tree(folder / "train"), tree(folder / "val", first=50)


def _two_names(folder: Path) -> None:
    tree(folder / "train"), tree(folder / "Test", first=50), tree(folder / "testing", first=50)


def _folder_beside(folder: Path) -> None:
    tree(folder / "train"), tree(folder / "test", first=50), (folder / "labels").mkdir()


def _train_beside(folder: Path) -> None:
    tree(folder), tree(folder / "train", first=50)


def _parts_beside(folder: Path) -> None:
    tree(folder / "test"), tree(folder / "valid", first=50), tree(folder / "extra", first=90)


def _empty_class(folder: Path) -> None:
    tree(folder), (folder / "c7").mkdir()


def _empty_classes(folder: Path) -> None:
    (folder / "c1").mkdir(), (folder / "c2").mkdir()


LAYOUTS: dict[str, tuple[Any, dict[str, Any], str]] = {
    "nothing": (lambda folder: None, {}, "holds no folders; expected a folder for each of at l"),
    "directly": (_images_directly, {}, "holds 1 image outside of class folders (1.jpg); expected"),
    "in train": (_images_in_train, {}, "train/ holds 1 image outside of class folders (1.jpg); e"),
    "one class": (lambda folder: tree(folder, 1), {"split": SPLIT}, "holds one folder, c0; expect"),
    "no split": (tree, {}, "holds 3 class folders and no train/ and test/; divide them w"),
    "no test": (_no_test, {}, "has train, val and no test/; add it, or divide one fol"),
    "two names": (_two_names, {}, "Test/ and testing/ are both test images; expected one of them."),
    "beside": (_folder_beside, {}, "labels beside train/ and test/; expected only train/, test"),
    "train beside": (_train_beside, {"split": SPLIT}, "train beside c0, c1, c2 may be parts of t"),
    "parts beside": (_parts_beside, {"split": SPLIT}, "test, valid beside extra may be parts of t"),
    "both": (lambda folder: (tree(folder / "train"), tree(folder / "test")), {"split": SPLIT},
             "has test, train, and data.split divides one tree of class folders; leave data.spl"),
    "empty class": (_empty_class, {"split": SPLIT}, "1 of 4 class folders without an image (c7)"),
    "empty classes": (_empty_classes, {"split": SPLIT}, "2 of 2 class folders without an image (c"),
}  # fmt: skip


@pytest.mark.parametrize(("make", "arguments", "says"), LAYOUTS.values(), ids=LAYOUTS.keys())
def test_another_layout_is_one_sentence(
    make: Any, arguments: dict[str, Any], says: str, tmp_path: Path
) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    make(folder)
    assert refused(folder, **arguments).startswith(says)


def test_a_name_that_is_no_text(photos: Path) -> None:
    strange = os.fsdecode(b"c\xff")
    write(photos / strange / "x.png", noise(77))
    names = read(photos, split=SPLIT).class_names
    assert names[-1].encode().startswith(b"c") and "\udcff" not in names[-1]
