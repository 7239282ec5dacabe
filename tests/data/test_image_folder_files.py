"""`data=image_folder`: files that cannot be used, and files that change."""

from __future__ import annotations

import os
import pickle
import shutil
from pathlib import Path
from typing import Any

import pytest
from image_files import noise, png, write
from image_folders import SPLIT, read, refused, shown

from qbench.base.errors import QbenchError
from qbench.data import load
from qbench.data.images import contents, reader

pytestmark = pytest.mark.usefixtures("own_cache")


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
    assert said.endswith("mend or remove them, or leave out files with data.damaged=skip.")


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


@pytest.mark.parametrize("up", [1, 2])
def test_a_link_to_any_folder_above_is_a_loop(photos: Path, up: int) -> None:
    """Through it every image would be in another class too."""
    known = read(photos, split=SPLIT).hash
    (photos / "c1" / "up").symlink_to((photos / "c1").parents[up - 1])
    assert "1 of 30 files cannot be used: 1 a loop of links (" in refused(photos, split=SPLIT)
    data = read(photos, split=SPLIT, damaged="skip")
    assert data.hash == known
    assert data.left_out == {"a loop of links": {"count": 1, "files": ["c1/up"]}}


def test_equal_files_of_two_parts_are_refused_and_the_test_part_keeps_one(divided: Path) -> None:
    known = read(divided)
    shutil.copy(divided / "test" / "c0" / "0.png", divided / "train" / "c0" / "copy.png")
    said = refused(divided)
    assert "1 in several parts (train/c0/copy.png: as test/c0/0.png)" in said
    assert read(divided, damaged="skip").hash == known.hash


def test_no_folder_and_no_usable_file(photos: Path) -> None:
    with pytest.raises(QbenchError, match=r"^data\.dir=null: data=image_folder needs the folder"):
        load("image_folder")
    for file in photos.rglob("*.png"):
        file.write_bytes(b"")
    assert refused(photos, resolution=8, split=SPLIT).startswith("no file can be used: 30 empty (")
    assert refused(photos, split=SPLIT).startswith("no file can be used: 30 empty (")
    for file in photos.rglob("*.png"):
        file.write_bytes(png((1, 1, 8, 0), b"")[:40] + str(file).encode())
    assert refused(photos, split=SPLIT).startswith("no file can be used: 30 damaged (c0/0.png: ")


def _cut(folder: Path, file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-90])


def _in_another_class(folder: Path, file: Path) -> None:
    shutil.copy(file, folder / "c1" / file.name)


def _misnamed(folder: Path, file: Path) -> None:
    file.rename(file.with_suffix(".jpg"))


@pytest.mark.parametrize("spoil", [_cut, _in_another_class, _misnamed])
def test_the_size_is_that_of_files_that_can_be_used(photos: Path, spoil: Any) -> None:
    known = read(photos, split=SPLIT).hash
    spoil(photos, write(photos / "c0" / "! first.png", noise(77, 60, 70)))
    assert refused(photos, split=SPLIT).split(": ")[0].endswith("files cannot be used")
    data = read(photos, split=SPLIT, damaged="skip")
    assert (data.train_images.shape[1:], data.hash) == ((6, 8, 3), known)


def test_an_empty_class_is_in_the_message_about_files(photos: Path) -> None:
    (photos / "c7").mkdir()
    alone = "1 of 4 class folders without an image (c7); remove them, or add images."
    assert refused(photos, split=SPLIT) == alone
    (photos / "c0" / "empty.png").touch()
    said = refused(photos, split=SPLIT)
    assert said == (
        "1 of 31 files cannot be used: 1 empty (c0/empty.png); 1 of 4 class folders without an"
        " image (c7); mend or remove them, or leave out files with data.damaged=skip."
    )
    assert refused(photos, split=SPLIT, damaged="skip") == alone


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
        read(photos, split=SPLIT, resolution=6)


def test_an_image_that_does_not_fit_in_memory_is_not_kept_as_damaged(
    photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known, full = reader.decoded, (photos / "c1" / "4.png").read_bytes()

    def decoded(content: bytes, channels: int, background: int) -> Any:
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
