"""`data=csv`: tables of files and labels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from image_files import noise, write

from qbench.base.errors import QbenchError
from qbench.data import Dataset, load

SPLIT = [0.5, 0.25, 0.25]

pytestmark = pytest.mark.usefixtures("own_cache")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """12 images in one folder."""
    for number in range(12):
        write(tmp_path / "d" / "all" / f"{number}, x.png", noise(number))
    return tmp_path / "d"


def table(path: Path, numbers: Any, head: str = "path,label", split: str = "") -> Path:
    rows = [f'"all/{n}, x.png",{("ten", "2", "10")[n % 3]}{split}' for n in numbers]
    path.write_text("\n".join([head, *rows]) + "\n", encoding="utf-8-sig")
    return path


def read(folder: Path | None, **arguments: Any) -> Dataset:
    load.cache_clear()
    return load("csv", folder and str(folder), **arguments)


def refused(folder: Path | None, **arguments: Any) -> str:
    with pytest.raises(QbenchError) as error:
        read(folder, **arguments)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_a_table_that_data_split_divides(folder: Path) -> None:
    table(folder / "images.csv", range(12))
    data = read(folder, split=SPLIT)
    assert data.class_names == ("10", "2", "ten")
    assert data.validation is not None
    every = [(data.train_images, data.train_labels), (data.test_images, data.test_labels)]
    found = {
        (int(label), np.asarray(images)[k].tobytes())
        for images, labels in (*every, data.validation)
        for k, label in enumerate(labels)
    }
    assert found == {((2, 1, 0)[n % 3], noise(n).tobytes()) for n in range(12)}
    assert len(data.train_images) == 6


def test_paths_begin_in_the_folder_of_the_table(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table(folder / "images.csv", range(12))
    known = read(folder, split=SPLIT).hash
    monkeypatch.chdir(folder.parent)
    assert read(None, file="d/images.csv", split=SPLIT).hash == known
    text = (folder / "images.csv").read_text("utf-8-sig").replace("all/", f"{folder}/all/")
    (folder.parent / "absolute.csv").write_text(text)
    assert read(None, file="absolute.csv", split=SPLIT).hash == known


def test_a_column_or_a_table_says_the_part(folder: Path) -> None:
    table(folder / "images.csv", range(6))
    table(folder / "test.csv", range(6, 9))
    table(folder / "val.csv", range(9, 12))
    data = read(folder, test_file="test.csv", validation_file="val.csv")
    assert (len(data.train_images), len(data.test_images)) == (6, 3)
    assert data.validation is not None and len(data.validation[0]) == 3
    parts = [("Train", range(6)), ("test", range(6, 9)), ("val", range(9, 12))]
    lines = ["path,label,split"]
    for part, numbers in parts:
        path = table(folder / "one.csv", numbers, split=f",{part}")
        lines += path.read_text("utf-8-sig").splitlines()[1:]
    (folder / "one.csv").write_text("\n".join(lines))
    assert read(folder, file="one.csv").hash == data.hash


def test_labels_that_are_numbers_are_in_their_order(folder: Path) -> None:
    rows = [f'"all/{n}, x.png",{n % 11},{"test" if n == 11 else "train"}' for n in range(12)]
    (folder / "images.csv").write_text("\n".join(["path,label,split", *rows]))
    data = read(folder)
    assert data.class_names == tuple(map(str, range(11)))
    assert data.test_labels.tolist() == [0]


def test_digits_that_are_too_many_for_a_number_are_a_text(folder: Path) -> None:
    rows = [f'"all/{n}, x.png",{n % 2}{"1" * 5000 * (n % 2)}' for n in range(12)]
    (folder / "images.csv").write_text("\n".join(["path,label", *rows]))
    assert [len(name) for name in read(folder, split=SPLIT).class_names] == [1, 5001]


def test_files_that_cannot_be_used_are_listed(folder: Path) -> None:
    path = table(folder / "images.csv", range(12))
    with path.open("a") as file:
        file.write('absent.png,2\nimages.csv,10\n"all/0, x.png",2\n')
    said = refused(folder, split=SPLIT)
    assert "4 of 15 files cannot be used" not in said  # a file with two labels counts once
    assert said.startswith(f"data.file={path}: 3 of 15 files cannot be used: 1 unreadable (absent")
    assert "1 no image (images.csv)" in said
    assert "1 in several classes (all/0, x.png: as all/0, x.png)" in said


BAD: dict[str, tuple[str | bytes, dict[str, Any], str]] = {
    "no head": ("a.png,1\nb.png,2", {}, "its first line names the columns a.png, 1; expected pa"),
    "nothing": ("", {}, "its first line names the columns nothing; expected path,label or"),
    "only a head": ("path,label", {}, "has no rows; expected a path and a label in each."),
    "a short row": ("path,label\na.png", {}, "line 2 is not a path and a label (and a split)."),
    "a long row": ("path,label\na.png,1,2", {}, "line 2 is not a path and a label"),
    "a zero": ("path,label\na\0.png,1", {}, "line"),
    "another part": ("path,label,split\na.png,1,dev", {}, "line 2 has the split dev; expected t"),
    "some parts": ("path,label,split\na.png,1,test\nb.png,1,", {}, "only 1 of 2 rows have a spl"),
    "no part": ("path,label\na.png,1\nb.png,2", {}, "nothing says which images are test imag"),
    "both": ("path,label,split\na.png,1,test\nb.png,2,train", {"split": SPLIT}, "several settings"),
    "no test": ("path,label,split\na.png,1,train\nb.png,2,train", {}, "has no test images; expect"),
    "a new label": ("path,label,split\na.png,1,train\nb.png,2,test\nc.png,3,train", {},
                    "1 label without a training image (2); expected training images of each."),
    "one label": ("path,label\na.png,1\nb.png,1", {"split": SPLIT}, "all labels are 1; expec"),
    "one number in two ways": ("path,label\na.png,01\nb.png,1\nc.png,2", {"split": SPLIT},
                               "the labels 01 and 1 are the same number; write the label of a"),
    "not in UTF-8": (b"path,label\n\xff\xfe.png,1", {}, "no table in UTF-8 ("),
    "a long field": ("path,label\n" + "x" * 200_000 + ",1", {}, "no table in UTF-8 (field larger"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "arguments", "says"), BAD.values(), ids=BAD.keys())
def test_another_table_is_one_sentence(
    text: str | bytes, arguments: dict[str, Any], says: str, tmp_path: Path
) -> None:
    path = tmp_path / "images.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    said = refused(tmp_path, **arguments)
    assert said.startswith(f"data.file={path}: {says}")
    assert len(said) < 300


def test_no_table(tmp_path: Path) -> None:
    said = refused(tmp_path)
    assert said.startswith(f"data.file={tmp_path}/images.csv: cannot be read (No such file or di")
    assert "data.file=TABLE.csv" in said
    assert refused(None, file=3) == "data.file=3: expected the name of a table."
