"""`data=image_folder`: layouts, classes, parts, files that cannot be used."""

from __future__ import annotations

import os
import pickle
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from image_files import noise, png, tree, write
from PIL import Image

from qbench.base.errors import QbenchError
from qbench.data import DataChoice, Dataset, load, source_of
from qbench.data.images import contents, reader
from qbench.data.rows import Rows

SPLIT = [0.7, 0.1, 0.2]


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("QBENCH_CACHE", str(tmp_path / "cache"))
    load.cache_clear()
    yield
    load.cache_clear()


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A tree of 3 classes with 10 images each."""
    return tree(tmp_path / "photos")


@pytest.fixture
def divided(tmp_path: Path) -> Path:
    """The same in train/, test/ and validation/."""
    for number, part in enumerate(("train", "test", "validation")):
        tree(tmp_path / "divided" / part, images=4 - number, first=100 * number)
    return tmp_path / "divided"


def read(folder: Path, **arguments: Any) -> Dataset:
    load.cache_clear()
    return load("image_folder", str(folder), **arguments)


def refused(folder: Path, **arguments: Any) -> str:
    with pytest.raises(QbenchError) as error:
        read(folder, **arguments)
    said = str(error.value)
    assert said.startswith(f"data.dir={folder}: ") and "\n" not in said
    return said.removeprefix(f"data.dir={folder}: ")


def shown(data: Dataset) -> dict[str, set[tuple[int, bytes]]]:
    """By part, the labels and pixels of its images."""
    assert data.validation is not None
    parts = {
        "train": (data.train_images, data.train_labels),
        "test": (data.test_images, data.test_labels),
        "validation": data.validation,
    }
    return {
        name: {(int(label), np.asarray(images)[k].tobytes()) for k, label in enumerate(labels)}
        for name, (images, labels) in parts.items()
    }


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


def test_sizes_are_resized_or_refused_with_a_proposal(photos: Path) -> None:
    write(photos / "c0" / "wide.png", noise(5, 60, 70))
    said = refused(photos, split=SPLIT)
    assert said.startswith("the images have 2 sizes, from 8 x 6 to 70 x 60 pixels; set the side")
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


def broken(photos: Path) -> None:
    """One or more files of every kind that cannot be used."""
    good = (photos / "c0" / "0.png").read_bytes()
    (photos / "c0" / "half.png").write_bytes(good[:60])
    (photos / "c1" / "half too.png").write_bytes(good[:60] + b"x")
    (photos / "c0" / "empty.jpg").touch()
    (photos / "c0" / "gone.png").symlink_to("nowhere")
    (photos / "c1" / "loop").symlink_to(photos / "c1")
    (photos / "c1" / "self.png").symlink_to("self.png")
    os.mkfifo(photos / "c1" / "pipe.png")
    (photos / "c1" / "text.png").write_text("no image")
    (photos / "c1" / "notes.txt").write_text("no image")
    (photos / "c2" / "pickle.png").write_bytes(pickle.dumps({"a": 1}))
    write(photos / "c2" / "tiff.tif", noise(78))
    (photos / "c2" / "lies.jpg").write_bytes(png((1, 1, 8, 0), b"\0\0"))
    (photos / "c2" / "bomb.png").write_bytes(png((31_623, 31_623, 8, 0), b"\0"))
    (photos / "c2" / "other class.png").write_bytes(good)


KINDS = {
    "damaged": ["c0/half.png", "c1/half too.png"],
    "empty": ["c0/empty.jpg"],
    "unreadable": ["c0/gone.png", "c1/pipe.png", "c1/self.png"],
    "a loop of links": ["c1/loop"],
    "too large": ["c2/bomb.png"],
    "no image": ["c1/notes.txt", "c1/text.png", "c2/pickle.png", "c2/tiff.tif"],
    "wrongly named": ["c2/lies.jpg"],
    "in several classes": ["c0/0.png", "c2/other class.png"],
}


def test_all_files_that_cannot_be_used_are_in_one_message(photos: Path) -> None:
    broken(photos)
    said = refused(photos, split=SPLIT)
    assert said.startswith("15 of 43 files cannot be used: 2 damaged (c0/half.png: ")
    for kind, names in KINDS.items():
        assert f"{len(names)} {kind} ({names[0]}" in said
        assert all(name in said for name in names)
    assert "c2/pickle.png: holds a pickle" in said and "c2/tiff.tif: holds TIFF" in said
    assert "c2/lies.jpg: holds PNG" in said and "c2/other class.png: as c0/0.png" in said
    assert said.endswith("mend or remove them, or leave them out with data.damaged=skip.")


def test_they_can_be_left_out_and_are_recorded(photos: Path) -> None:
    (photos / "c0" / "0.png").rename(photos.parent / "kept.png")
    known = read(photos, split=SPLIT).hash
    shutil.copy(photos.parent / "kept.png", photos / "c0" / "0.png")
    broken(photos)
    for _ in range(2):  # the second time nothing is decoded
        data = read(photos, split=SPLIT, damaged="skip")
        assert data.hash == known
        assert {kind: entry["files"] for kind, entry in data.left_out.items()} == KINDS
        assert data.left_out["no image"]["count"] == 4
        assert data.provenance.startswith("15 files left out: 2 damaged, 1 empty, 3 unreadable")


def test_equal_files_of_two_parts_are_refused_and_the_test_part_keeps_one(divided: Path) -> None:
    known = read(divided)
    shutil.copy(divided / "test" / "c0" / "0.png", divided / "train" / "c0" / "copy.png")
    said = refused(divided)
    assert "1 in several parts (train/c0/copy.png: as test/c0/0.png)" in said
    assert read(divided, damaged="skip").hash == known.hash


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


def test_one_folder_beside_classes_may_be_a_class(photos: Path) -> None:
    write(photos / "test" / "x.png", noise(77))
    assert read(photos, split=SPLIT).class_names == ("c0", "c1", "c2", "test")


def test_one_test_image_is_enough(divided: Path) -> None:
    shutil.rmtree(divided / "test")
    write(divided / "test" / "c2" / "x.png", noise(77))
    data = read(divided)
    assert (len(data.test_images), data.test_labels.tolist()) == (1, [2])


def test_ten_thousand_classes_are_listed(tmp_path: Path) -> None:
    file = write(tmp_path / "x.png", noise(0))
    for number in range(10_000):
        folder = tmp_path / "many" / f"{number:05}"
        folder.mkdir(parents=True)
        os.link(file, folder / "x.png")
    source = source_of(DataChoice("image_folder", str(tmp_path / "many"), None, {"split": SPLIT}))
    assert (source.classes, source.class_names[-1], source.shape) == (10_000, "09999", (6, 8, 3))


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
}  # fmt: skip


@pytest.mark.parametrize(("make", "arguments", "says"), LAYOUTS.values(), ids=LAYOUTS.keys())
def test_another_layout_is_one_sentence(
    make: Any, arguments: dict[str, Any], says: str, tmp_path: Path
) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    make(folder)
    assert refused(folder, **arguments).startswith(says)


@pytest.mark.parametrize(
    ("argument", "value"),
    [("resize", "cubic"), ("fit", "zoom"), ("channels", 4), ("background", 300),
     ("damaged", "ignore"), ("split_seed", -1), ("flip", "yes")],
)  # fmt: skip
def test_other_values_are_refused(photos: Path, argument: str, value: Any) -> None:
    with pytest.raises(QbenchError, match=rf"^data\.{argument}={value} is not allowed: expected "):
        read(photos, split=SPLIT, **{argument: value})


def test_no_folder_and_no_usable_file(photos: Path) -> None:
    with pytest.raises(QbenchError, match=r"^data\.dir=null: data=image_folder needs the folder"):
        load("image_folder")
    for file in photos.rglob("*.png"):
        file.write_bytes(b"")
    assert refused(photos, resolution=8, split=SPLIT).startswith("no file can be used: 30 empty (")
    assert refused(photos, split=SPLIT).startswith("none of 30 files can be opened as an image.")


def test_a_small_share_without_test_images(tmp_path: Path) -> None:
    said = refused(tree(tmp_path / "few", 2, 2), split=[0.9, 0.1])
    assert said == "no test image (data.split leaves none); expected at least one."


def test_large_data_stay_on_disk_with_the_same_hash(
    photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = read(photos, split=SPLIT)
    monkeypatch.setattr(reader, "_IN_MEMORY", 0)
    data = read(photos, split=SPLIT)
    assert isinstance(data.train_images, Rows) and data.hash == known.hash
    monkeypatch.setattr(reader, "decoded", lambda *given: pytest.fail("decoded again"))
    assert read(photos, split=SPLIT, split_seed=3).hash != known.hash


@pytest.mark.parametrize(
    ("name", "value"),
    [("channels", 1), ("background", 7), ("fit", "crop"), ("resize", "box"), ("resolution", 5)],
)
def test_the_cache_tells_settings_apart(photos: Path, name: str, value: Any) -> None:
    usual = {"split": SPLIT, "resolution": 4, "fit": "pad"}
    assert read(photos, **usual).hash != read(photos, **(usual | {name: value})).hash


def test_hashes_of_unchanged_files_are_kept(photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = sorted(photos.rglob("*.png"))
    monkeypatch.setattr(contents, "_KEPT_FROM", 0)
    contents.contents(photos, files)  # too young to be kept: a change might have the same time
    monkeypatch.setattr(contents, "format_of", lambda start: "PNG as before")
    monkeypatch.setattr(contents, "_SETTLED", -(10**12))
    known = contents.contents(photos, files)
    assert {one.format for one in known} == {"PNG as before"}
    monkeypatch.setattr(contents, "format_of", lambda start: "read again")
    assert contents.contents(photos, files) == known
    content = bytearray(files[0].read_bytes())
    content[-1] ^= 1
    files[0].write_bytes(content)
    changed = contents.contents(photos, files)
    assert changed[1:] == known[1:]
    assert changed[0].format == "read again" and changed[0].sha256 != known[0].sha256


def test_a_file_that_changes_while_it_is_read(
    photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = reader.contents

    def then_changed(folder: Path, files: list[Path]) -> Any:
        found = known(folder, files)
        write(files[3], noise(99))
        return found

    monkeypatch.setattr(reader, "contents", then_changed)
    with pytest.raises(QbenchError, match=r"3\.png: was changed while it was read; start again"):
        read(photos, split=SPLIT)


def test_an_image_that_does_not_fit_in_memory_is_not_kept_as_damaged(
    photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known, full = reader.decoded, (photos / "c1" / "4.png").read_bytes()

    def decoded(content: bytes, channels: int, background: int) -> Image.Image:
        if content == full:
            raise MemoryError
        return known(content, channels, background)

    with monkeypatch.context() as short:
        short.setattr(reader, "decoded", decoded)
        with pytest.raises(QbenchError) as error:
            read(photos, split=SPLIT, damaged="skip")
    file = photos / "c1" / "4.png"
    assert str(error.value) == f"{file}: an image of 8 x 6 pixels does not fit in memory."
    data = read(photos, split=SPLIT)
    assert sum(map(len, shown(data).values())) == 30 and not data.left_out


def test_a_name_that_is_no_text(photos: Path) -> None:
    strange = os.fsdecode(b"c\xff")
    write(photos / strange / "x.png", noise(77))
    names = read(photos, split=SPLIT).class_names
    assert names[-1].encode().startswith(b"c") and "\udcff" not in names[-1]


def test_pixels_are_those_of_the_settings(photos: Path) -> None:
    data = read(photos, split=SPLIT, resolution=4, fit="crop", resize="box", channels=1)
    image = Image.fromarray(noise(0)).convert("L").crop((1, 0, 7, 6))
    expected = (0, np.asarray(image.resize((4, 4), Image.Resampling.BOX)).tobytes())
    assert expected in set.union(*shown(data).values())
