"""Images on disk: parts, batches and hashes as of the same images in memory, piece by piece."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from qbench.base.errors import QbenchError
from qbench.data import DATASETS, Dataset, Source, load, rows, split
from qbench.data.arrays import part
from qbench.data.cache import cached
from qbench.data.hashing import data_hash
from qbench.data.rows import Rows, gathered, known_digest, on_disk, pieces, subset
from qbench.tasks.classification import Classification
from qbench.testing import check_data

TASK = Classification(3)
SHAPE = (4, 3, 2)
IMAGES = np.random.default_rng(0).integers(0, 256, (30, *SHAPE), np.uint8)
LABELS = np.arange(30) % 3


@pytest.fixture(autouse=True)
def cache_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("QBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(rows, "_PIECE_BYTES", 100)  # four images
    return tmp_path / "cache"


@pytest.fixture
def mapped() -> Any:
    return cached("images", len(IMAGES), SHAPE, IMAGES.__getitem__, lambda text: None).images


@pytest.fixture
def own(tmp_path: Path) -> Any:
    """An array that somebody else has mapped."""
    np.save(tmp_path / "own.npy", IMAGES)
    return np.load(tmp_path / "own.npy", mmap_mode="r")


ORDER = np.array([7, 3, 3, 29, 0])


def test_what_is_on_disk(mapped: Any, own: Any) -> None:
    for images in (mapped, own):
        views = (
            images,
            images[2:9],
            np.asarray(images),
            images.reshape(-1, 2),
            Rows(images, ORDER),
        )
        assert all(map(on_disk, views))
        assert not on_disk(gathered(images, ORDER))
        assert not on_disk(np.array(images))
    assert not on_disk(IMAGES) and not on_disk(IMAGES[:3])


def test_rows_are_those_of_the_array(mapped: Any) -> None:
    chosen = Rows(mapped, ORDER)
    expected = IMAGES[ORDER]
    assert (chosen.shape, chosen.dtype, chosen.ndim, len(chosen)) == (
        expected.shape,
        expected.dtype,
        4,
        5,
    )
    assert np.array_equal(np.asarray(chosen), expected)
    assert np.array_equal(chosen[1:4], expected[1:4])
    assert np.array_equal(gathered(chosen, np.array([4, 0])), expected[[4, 0]])
    taken = np.array([True, False, True, True, False])
    assert np.array_equal(subset(chosen, taken), expected[taken])
    assert on_disk(subset(mapped, np.ones(30, bool)))


@pytest.mark.parametrize("order", [[30], [-1]])
def test_rows_that_are_not_there_are_refused(mapped: Any, order: list[int]) -> None:
    with pytest.raises(IndexError):
        Rows(mapped, np.array(order))


def test_pieces_are_small_and_make_up_the_array(mapped: Any) -> None:
    for images, expected in ((mapped, IMAGES), (Rows(mapped, ORDER), IMAGES[ORDER])):
        found = list(pieces(images))
        assert np.array_equal(np.concatenate(found), expected)
        assert max(map(len, found)) == 4
    assert len(list(pieces(IMAGES))) == 1


def test_digests_are_known_of_parts_of_arrays_and_of_their_rows(mapped: Any, own: Any) -> None:
    digest = [mapped.digest, "0 to 720"]
    assert known_digest(mapped) == known_digest(np.asarray(mapped).reshape(30, -1)) == digest
    for other in (mapped[:, ::-1], mapped[:, :2], mapped.view(np.int8), own, IMAGES):
        assert known_digest(other) is None
    assert known_digest(mapped[1:]) == [mapped.digest, "24 to 720"]
    assert known_digest(np.asarray(mapped[1:])[2:5]) == [mapped.digest, "72 to 144"]
    first, second = (known_digest(Rows(mapped, order)) for order in (ORDER, ORDER[::-1]))
    assert first and second and first != second
    assert first[:2] == digest
    assert known_digest(Rows(own, ORDER)) is None


def test_the_hash_is_that_of_the_same_arrays_in_memory(mapped: Any, own: Any) -> None:
    parts = [
        (IMAGES, mapped),
        (IMAGES, own),
        (IMAGES[ORDER], Rows(mapped, ORDER)),
        (IMAGES[ORDER], Rows(own, ORDER)),
        (IMAGES[3:9], mapped[3:9]),
    ]
    for memory, disk in parts:
        labels = LABELS[: len(memory)]
        expected = data_hash(TASK, memory, labels, memory[:5], labels[:5])
        for _ in range(2):  # the second time from the cache folder, where it is kept
            assert data_hash(TASK, disk, labels, disk[:5], labels[:5]) == expected


def test_the_hash_of_cached_images_is_computed_once(
    mapped: Any, cache_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = data_hash(TASK, mapped, LABELS, Rows(mapped, ORDER), LABELS[:5])
    (file,) = cache_folder.glob("*.hash")
    with monkeypatch.context() as patched:
        patched.setattr(mapped.__class__, "__getitem__", None)  # nothing is read
        assert data_hash(TASK, mapped, LABELS, Rows(mapped, ORDER), LABELS[:5]) == expected
    file.write_bytes(file.read_bytes().replace(expected[:4].encode(), b"0000"))
    assert data_hash(TASK, mapped, LABELS, Rows(mapped, ORDER), LABELS[:5]) == expected
    for other in (
        (mapped, LABELS[::-1], Rows(mapped, ORDER), LABELS[:5]),
        (mapped, LABELS, Rows(mapped, ORDER[::-1]), LABELS[:5]),
        (Rows(mapped, ORDER), LABELS[:5], mapped, LABELS),
    ):
        assert data_hash(TASK, *other) != expected


def test_parts_of_data_stay_on_disk(mapped: Any) -> None:
    for images, expected in ((mapped, IMAGES), (Rows(mapped, ORDER), IMAGES[ORDER])):
        found, _ = part("made", "training", images, LABELS[: len(expected)], SHAPE, TASK)
        assert on_disk(found) and np.array_equal(found, expected)
        assert known_digest(found) == known_digest(images)
    grey = mapped.reshape(30, 4, 6)
    for images in (grey, Rows(grey, ORDER)):
        found, _ = part("made", "test", images, LABELS[: len(images)], (4, 6, 1), TASK)
        assert on_disk(found) and found.shape == (len(images), 4, 6, 1)
    with pytest.raises(
        QbenchError, match=r"uint8 of shape \(5, 4, 3, 2\); expected uint8 of shape"
    ):
        part("made", "test", Rows(mapped, ORDER), LABELS[:5], (4, 3, 1), TASK)


@dataclass(frozen=True)
class Chosen:
    """The settings of a validation part."""

    validation: float | None
    validation_seed: int = 0


def test_validation_images_are_the_same_and_stay_on_disk(mapped: Any) -> None:
    made = Dataset("made", IMAGES, LABELS, IMAGES[:3], LABELS[:3], TASK, False, "h", "")
    expected = split(made, Chosen(0.2))
    for images in (mapped, Rows(mapped, np.arange(30))):
        found = split(replace(made, train_images=images), Chosen(0.2))
        assert found.validation is not None and expected.validation is not None
        for one, other in (
            (
                (found.train_images, found.train_labels),
                (expected.train_images, expected.train_labels),
            ),
            (found.validation, expected.validation),
        ):
            assert on_disk(one[0])
            assert np.array_equal(one[0], other[0]) and np.array_equal(one[1], other[1])


def test_a_reader_may_return_images_on_disk(mapped: Any) -> None:
    def read(folder: Path | None) -> Any:
        chosen = Rows(mapped, np.arange(20, 30))
        return (mapped[:20], LABELS[:20]), (chosen, LABELS[20:])

    source = Source(SHAPE, 3, flip=False, read=read, known={})
    check_data(source)
    with DATASETS.lent("mapped", source):
        data = load("mapped", None)
    load.cache_clear()  # type: ignore[attr-defined]
    assert on_disk(data.train_images) and isinstance(data.test_images, Rows)


BOUNDED = """
import resource
from pathlib import Path
import numpy as np
from qbench.data import DATASETS, Source, load, split
from qbench.data.rows import gathered, pieces

SIZE = 160 << 20
with open("images", "wb") as file:
    file.truncate(SIZE)
class Chosen:
    validation, validation_seed = 0.5, 0
def read(folder):
    images = np.memmap("images", np.uint8, "r", shape=(SIZE >> 12, 32, 32, 4))
    labels = np.arange(len(images)) % 10
    return images, labels, images, labels
DATASETS.add("large", Source((32, 32, 4), 10, flip=False, read=read, known={}))
used = int(Path("/proc/self/statm").read_text().split()[5]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_DATA, (used + (64 << 20), resource.RLIM_INFINITY))
data = split(load("large", None), Chosen)
for images in (data.train_images, data.validation[0], data.test_images):
    assert sum(map(len, pieces(images))) == len(images) >= 20480
    assert gathered(images, np.arange(0, 20480, 160)).shape == (128, 32, 32, 4)
try:
    np.array(data.test_images)
except MemoryError:
    print("bounded")
"""


def test_nothing_reads_all_images_into_memory(tmp_path: Path) -> None:
    """The process may have 64 MB more than before; the images are 160 MB."""
    command = [sys.executable, "-c", BOUNDED]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("bounded\n", "")
