"""The part of Fashion-MNIST that comes with qbench."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from qbench.base.errors import QbenchError
from qbench.data import fashion_part, load
from qbench.data.idx_files import ROLES


def test_the_images_are_those_that_were_recorded() -> None:
    data = load("fashion_part", None)
    assert data.train_images.shape == (12_000, 28, 28, 1)
    assert data.test_images.shape == (5_000, 28, 28, 1)
    assert data.hash.startswith("3f50a1fc0c58")
    assert data.provenance.startswith("a part of Fashion-MNIST, its first 12,000 training and")
    assert (len(data.class_names), data.task.outputs, data.flip) == (10, 10, True)
    # The first labels of the whole set, as everybody's examples print them.
    assert [data.class_names[label] for label in data.train_labels[:3]] == [
        *("Ankle boot", "T-shirt/top", "T-shirt/top"),
    ]
    assert data.test_labels[:5].tolist() == [9, 2, 1, 1, 6]


def test_every_class_has_its_tenth() -> None:
    data = load("fashion_part", None)
    for labels in (data.train_labels, data.test_labels):
        shares = np.bincount(labels, minlength=10) / len(labels)
        np.testing.assert_allclose(shares, 0.1, atol=0.008)


def test_the_files_have_no_time_and_a_license_beside_them() -> None:
    for role in ROLES:
        # Bytes 4 to 7 of a gzip file are the time of writing, byte 3 says whether a name follows.
        head = fashion_part.path_of(role).read_bytes()[:10]
        assert (head[:4], head[4:8]) == (b"\x1f\x8b\x08\x00", bytes(4))
    assert "Copyright © 2017 Zalando SE" in (fashion_part.FOLDER / "LICENSE").read_text("utf-8")


@pytest.mark.parametrize("spoilt", ["changed", "gone"])
def test_another_file_is_not_read(
    spoilt: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = Path(shutil.copytree(fashion_part.FOLDER, tmp_path / "copy"))
    path = folder / "t10k-labels-idx1-ubyte.gz"
    content = bytearray(path.read_bytes())
    content[4] ^= 1  # another time: the same labels, and yet another file
    path.write_bytes(content)
    if spoilt == "gone":
        path.unlink()
    monkeypatch.setattr(fashion_part, "FOLDER", folder)
    with pytest.raises(QbenchError, match=r"t10k-labels.*: not the file that comes with qbench"):
        fashion_part.read(None)


def test_a_folder_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(QbenchError, match="choose data=fashion_mnist for files of the whole set"):
        fashion_part.read(tmp_path)
