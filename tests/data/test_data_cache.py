"""The cache of decoded images: decoded once, resumed, shared, and never used when damaged."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from qbench.base.errors import DiskFull, QbenchError
from qbench.data import cache, filling
from qbench.data.cache import Undecodable, cached
from qbench.data.cache_folder import cache_folder, entries, remove_rest, remove_unused

SHAPE = (4, 3, 3)
COUNT = 25
SIZE = 36
IMAGES = np.random.default_rng(0).integers(0, 256, (COUNT, *SHAPE), np.uint8)


class Decoder:
    """Decodes IMAGES, and knows which ones it was asked for."""

    def __init__(self, broken: int | None = None) -> None:
        self.asked: list[int] = []
        self._broken = broken
        self._lock = Lock()

    def __call__(self, index: int) -> NDArray[np.uint8]:
        with self._lock:
            self.asked.append(index)
        if index == self._broken:
            raise QbenchError(f"image {index} is damaged.")
        return IMAGES[index]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache folder; blocks of four images."""
    monkeypatch.setenv("QBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(filling, "BLOCK_BYTES", 4 * SIZE)
    return tmp_path / "cache"


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def get(said: list[str]) -> Callable[..., cache.Cached]:
    def get(decode: Decoder, key: str = "photos") -> cache.Cached:
        return cached(key, COUNT, SHAPE, decode, said.append)

    return get


Get = Callable[..., cache.Cached]


def test_images_are_decoded_once_and_mapped_read_only(get: Get, said: list[str]) -> None:
    first, again = Decoder(), Decoder()
    found = get(first)
    assert sorted(first.asked) == list(range(COUNT))
    assert np.array_equal(found.images, IMAGES)
    assert isinstance(found.images, np.memmap)
    with pytest.raises(ValueError, match="read-only"):
        found.images[0] = 0
    assert found.digest == found.images.digest == hashlib.sha256(IMAGES.tobytes()).hexdigest()
    assert found.images[1:].digest is None
    found = get(again)
    assert again.asked == []
    assert np.array_equal(found.images, IMAGES)
    assert [line.split(",")[0] for line in said] == ["decoding 25 images once"]


def test_only_the_key_number_and_shape_together_name_images(folder: Path) -> None:
    sets = [("a", 2, (3,)), ("b", 2, (3,)), ("a", 3, (2,)), ("a", 2, (1, 3)), ("a2", 2, (3,))]
    for number, (key, count, shape) in enumerate(sets):
        cached(key, count, shape, lambda index, n=number, s=shape: np.full(s, n, np.uint8), print)
    for number, (key, count, shape) in enumerate(sets):
        found = cached(key, count, shape, Decoder(), print)
        assert found.images.shape == (count, *shape)
        assert np.all(found.images == number)
    assert len(entries(folder)) == len(sets)


def test_images_of_another_key_under_this_name_are_not_taken(get: Get, folder: Path) -> None:
    get(Decoder())
    (entry,) = entries(folder)
    entry.write_facts({**(entry.read_facts() or {}), "key": "others"})
    decode = Decoder()
    get(decode)
    assert len(decode.asked) == COUNT


def _overwritten(path: Path) -> None:
    path.chmod(0o644)
    with path.open("r+b") as file:
        file.seek(SIZE * 7)
        byte = file.read(1)[0]
        file.seek(SIZE * 7)
        file.write(bytes([byte ^ 1]))


def _overwritten_with_the_old_times(path: Path) -> None:
    before = path.stat()
    time.sleep(0.01)  # the clock of a file system is coarse
    _overwritten(path)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def _cut(path: Path) -> None:
    os.truncate(path, SIZE * COUNT - 1)


def _longer(path: Path) -> None:
    os.truncate(path, SIZE * COUNT + 1)


@pytest.mark.parametrize(
    "damage", [_overwritten, _overwritten_with_the_old_times, _cut, _longer, Path.unlink]
)
def test_damaged_images_are_decoded_anew(
    get: Get, folder: Path, said: list[str], damage: Callable[[Path], None]
) -> None:
    before = get(Decoder())
    old = np.array(before.images)
    (entry,) = entries(folder)
    del before
    damage(entry.pixels)
    decode = Decoder()
    found = get(decode)
    assert np.array_equal(found.images, old)
    assert len(decode.asked) == COUNT
    assert any("damaged" in line for line in said)


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b'{"digest": 1}'])
def test_damaged_facts_count_as_none(get: Get, folder: Path, content: bytes) -> None:
    get(Decoder())
    (entry,) = entries(folder)
    entry.facts.write_bytes(content)
    decode = Decoder()
    assert np.array_equal(get(decode).images, IMAGES)
    assert len(decode.asked) == COUNT


@pytest.mark.parametrize("is_there", [False, True])
def test_a_reader_keeps_the_old_images_while_others_are_made(
    get: Get, folder: Path, is_there: bool
) -> None:
    held = get(Decoder()).images
    (entry,) = entries(folder)
    entry.facts.unlink()
    if is_there:
        entry.facts.touch()
    assert np.array_equal(get(lambda index: 255 - IMAGES[index]).images, 255 - IMAGES)
    assert np.array_equal(held, IMAGES)


def test_a_copied_folder_is_checked_and_used(
    get: Get, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    get(Decoder())
    for path in folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    monkeypatch.setenv("QBENCH_CACHE", str(tmp_path))
    decode = Decoder()
    assert np.array_equal(get(decode).images, IMAGES)
    monkeypatch.setattr(cache, "_digest", lambda file: "not computed again")
    get(decode)
    assert decode.asked == []


def test_an_error_keeps_complete_blocks(get: Get, folder: Path) -> None:
    with pytest.raises(QbenchError, match="image 24 is damaged"):
        get(Decoder(broken=24))
    decode = Decoder()
    found = get(decode)
    assert set(decode.asked) <= {*range(COUNT)} - {*range(4)}  # the first block was complete
    assert np.array_equal(found.images, IMAGES)
    assert found.digest == hashlib.sha256(IMAGES.tobytes()).hexdigest()


def test_blocks_that_were_damaged_meanwhile_are_decoded_again(get: Get, folder: Path) -> None:
    with pytest.raises(QbenchError, match="image 24"):
        get(Decoder(broken=24))
    (entry,) = entries(folder)
    with entry.pixels.open("r+b") as file:
        file.write(bytes(SIZE))
    with entry.progress.open("ab") as file:
        file.write(b'\n{"first": 20, "en')
    decode = Decoder()
    found = get(decode)
    assert {0, 1, 2, 3, 24} <= set(decode.asked)
    assert np.array_equal(found.images, IMAGES)


def test_images_that_cannot_be_decoded_are_zeros_with_a_reason(get: Get) -> None:
    def decode(index: int) -> NDArray[np.uint8]:
        if index == 7:
            raise Undecodable("cut short")
        return IMAGES[index]

    for found in (get(decode), get(Decoder())):
        assert found.failed == {7: "cut short"}
        assert not found.images[7].any()
        assert np.array_equal(np.delete(found.images, 7, 0), np.delete(IMAGES, 7, 0))


@pytest.mark.parametrize("wrong", [np.zeros(SHAPE, np.int8), np.zeros((3, 4, 3), np.uint8)])
def test_another_form_is_an_error(get: Get, wrong: NDArray[np.uint8]) -> None:
    with pytest.raises(ValueError, match=r"image \d+: decoded as"):
        get(lambda index: wrong)


KILLED = """
import sys, time
import numpy as np
from qbench.data import filling
from qbench.data.cache import cached
filling.BLOCK_BYTES = 4 * 36
images = np.random.default_rng(0).integers(0, 256, (25, 4, 3, 3), np.uint8)
def decode(index):
    if index == int(sys.argv[1]):
        print("there", flush=True)
        time.sleep(float(sys.argv[2]))
    return images[index]
print(cached("photos", 25, (4, 3, 3), decode, lambda text: None).digest, flush=True)
"""


def _process(index: int, seconds: float) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", KILLED, str(index), str(seconds)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    if index >= 0:
        assert process.stdout.readline() == "there\n"
    return process


def test_a_killed_process_is_continued_by_the_next(get: Get, said: list[str]) -> None:
    process = _process(23, 60)
    time.sleep(0.1)
    process.send_signal(signal.SIGKILL)
    process.wait()
    decode = Decoder()
    found = get(decode)
    assert found.digest == hashlib.sha256(IMAGES.tobytes()).hexdigest()
    assert len(decode.asked) <= 16  # the blocks in work, and no other
    assert any("is gone" in line for line in said)


def test_a_second_process_waits_and_decodes_nothing(get: Get, said: list[str]) -> None:
    process = _process(24, 0.5)
    decode = Decoder()
    found = get(decode)
    assert process.communicate()[0].strip() == found.digest
    assert decode.asked == []
    assert any("waiting for process" in line for line in said)


def test_a_full_disk_is_said_and_leaves_nothing(
    get: Get, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched:
        patched.setattr(os, "posix_fallocate", full)
        with pytest.raises(DiskFull, match=r"disk full: no room for .*pixels .*QBENCH_CACHE"):
            get(Decoder())
        assert list(folder.iterdir()) == []
    with monkeypatch.context() as patched:  # a file system that reserves nothing
        patched.setattr(os, "pwrite", full)
        with pytest.raises(DiskFull):
            get(Decoder())
    assert np.array_equal(get(Decoder()).images, IMAGES)


def test_a_file_system_that_reserves_no_room_will_do(
    get: Get, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: int) -> None:
        raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))

    monkeypatch.setattr(os, "posix_fallocate", refused)
    assert np.array_equal(get(Decoder()).images, IMAGES)


def test_images_in_use_are_not_removed(get: Get, folder: Path) -> None:
    images = get(Decoder()).images[3:5]  # a view holds them too
    (entry,) = entries(folder)
    assert not remove_unused(entry)
    assert np.array_equal(images, IMAGES[3:5])
    del images
    assert remove_unused(entry)
    assert entries(folder) == []


def test_images_that_another_process_decodes_are_not_removed(folder: Path) -> None:
    process = _process(23, 60)
    (entry,) = entries(folder)
    assert not remove_unused(entry)
    process.kill()
    process.wait()
    assert remove_unused(entry)
    remove_rest(folder)
    assert list(folder.iterdir()) == []


def test_images_that_another_machine_decodes_are_not_removed(get: Get, folder: Path) -> None:
    get(Decoder())
    (entry,) = entries(folder)
    entry.lock.write_text('{"host": "another", "pid": 1, "started": "1"}')
    assert not remove_unused(entry)
    os.utime(entry.lock, (0, 0))  # not renewed for a minute
    assert remove_unused(entry)


def test_images_are_made_anew_if_they_are_removed_at_the_last_moment(
    get: Get, monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    shared = cache._share
    removed = []

    def share(file: Any) -> None:
        if not removed:
            removed.append(file)
            entries(folder)[0].remove()
        shared(file)

    monkeypatch.setattr(cache, "_share", share)
    assert np.array_equal(get(Decoder()).images, IMAGES)
    removed.clear()  # now a reader has opened them
    decode = Decoder()
    assert np.array_equal(get(decode).images, IMAGES)
    assert len(decode.asked) == COUNT
    get(decode)
    assert len(decode.asked) == COUNT


def test_the_folder_is_the_variables_or_the_users(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert cache_folder() == tmp_path / "cache"
    monkeypatch.delenv("QBENCH_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", "/var/somewhere")
    assert cache_folder() == Path("/var/somewhere/qbench")
    monkeypatch.setenv("XDG_CACHE_HOME", "not/absolute")
    monkeypatch.setenv("HOME", "/home/someone")
    assert cache_folder() == Path("/home/someone/.cache/qbench")


def test_a_folder_that_cannot_be_written_is_named(
    get: Get, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QBENCH_CACHE", "/proc/nothing")
    with pytest.raises(QbenchError, match="QBENCH_CACHE=/proc/nothing: cannot be written"):
        get(Decoder())


def test_facts_are_readable_by_people(get: Get, folder: Path) -> None:
    get(Decoder())
    facts = json.loads(entries(folder)[0].facts.read_text())
    assert (facts["key"], facts["count"], facts["shape"]) == ("photos", COUNT, list(SHAPE))
