"""Files that appear whole or not at all, and folders that can be written."""

from __future__ import annotations

import io
import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest
import records_examples as examples

from qbench.base import files
from qbench.base.errors import DiskFull, QbenchError, disk_full
from qbench.storage import records


class _Broken(OSError):
    """The disk is full, say."""


def _fail(*_: Any, **__: Any) -> None:
    raise _Broken


def test_a_line_without_room_for_all_of_it_is_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "jobs.jsonl"
    files.append_line(path, {"job": 1})
    before = path.read_bytes()
    opened = Path.open

    class Short(io.FileIO):
        def write(self, content: Any) -> int:
            return super().write(content[:3])

    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", lambda path, *_, **__: Short(path, "ab"))
        with pytest.raises(DiskFull, match=r"/jobs\.jsonl;"):
            files.append_line(path, {"job": 2})
    assert opened(path, "rb").read() == before
    files.append_line(path, {"job": 3})
    assert path.read_bytes() == before + b'{"job": 3}\n'


FULL = OSError(28, "No space left on device")


def _from(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "full"),
    [
        (FULL, True),
        (OSError(122, "Disk quota exceeded"), True),
        (OSError("Can't write data (errno = 28, 'No space left on device')"), True),
        (_from(RuntimeError("could not save"), FULL), True),
        (OSError(13, "Permission denied"), False),
        (OSError(30, "Read-only file system"), False),
        (MemoryError(), False),
        (_from(ValueError("a"), KeyError("b")), False),
        (_from(loop := ValueError("a"), loop), False),
    ],
)
def test_a_full_disk_is_told_from_other_errors(error: Exception, full: bool) -> None:
    assert isinstance(disk_full(error), DiskFull) == full


def test_a_full_disk_names_what_there_was_no_room_for() -> None:
    assert "no room for a/b;" in str(disk_full(OSError(28, "No space left on device", "a/b")))
    assert "no room for c;" in str(disk_full(FULL, Path("c")))
    assert disk_full(known := DiskFull("said already")) is known


FAULTS = ["fsync", "replace", "chmod"]


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("old", [None, b"old"], ids=["new file", "existing file"])
def test_a_write_that_fails_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: str, old: bytes | None
) -> None:
    path = tmp_path / "file.json"
    if old is not None:
        path.write_bytes(old)
    before = examples.tree(tmp_path)
    monkeypatch.setattr(records.os, fault, _fail)
    with pytest.raises(_Broken):
        records.write_atomically(path, b"new")
    assert examples.tree(tmp_path) == before


def test_an_interruption_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(_: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(records.os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        records.write_atomically(tmp_path / "file", b"new")
    assert examples.tree(tmp_path) == {}


def test_content_is_on_the_disk_before_it_gets_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    events: list[tuple[str, Any]] = []
    replace, path = os.replace, tmp_path / "file"

    def fsync(handle: int) -> None:
        events.append(("flushed", os.fstat(handle).st_size))

    def rename(source: str, target: Path) -> None:
        events.append(("renamed", path.exists()))
        replace(source, target)

    monkeypatch.setattr(records.os, "fsync", fsync)
    monkeypatch.setattr(records.os, "replace", rename)
    records.write_atomically(path, b"12345")
    assert events == [("flushed", 5), ("renamed", False)]
    assert examples.tree(tmp_path) == {"file": b"12345"}


def test_a_file_is_replaced_and_can_be_read_by_all(tmp_path: Path) -> None:
    path = tmp_path / "file"
    for content in (b"long content", b"short", b""):
        records.write_atomically(path, content)
        assert examples.tree(tmp_path) == {"file": content}
    assert stat.S_IMODE(path.stat().st_mode) == 0o644


@pytest.mark.parametrize("below", ["", "runs", "deep/er"])
def test_a_folder_below_a_regular_file_cannot_be_written(tmp_path: Path, below: str) -> None:
    """Holds for the superuser as well."""
    (tmp_path / "file").write_text("")
    folder = tmp_path / "file" / below if below else tmp_path / "file"
    with pytest.raises(QbenchError) as error:
        files.prepare_folder(folder, "out")
    assert str(error.value).startswith(f"out={folder}: cannot be written (")


def test_a_folder_where_no_file_can_be_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(**_: Any) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(files.tempfile, "TemporaryFile", refuse)
    with pytest.raises(QbenchError, match=r"out=.*: cannot be written \(Permission denied\)\."):
        files.prepare_folder(tmp_path / "new", "out")


def test_a_prepared_folder_exists_and_is_empty(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b"
    files.prepare_folder(folder, "out")
    files.prepare_folder(folder, "out")
    assert folder.is_dir()
    assert list(folder.iterdir()) == []


def test_content_id_is_fixed_for_good() -> None:
    """A literal: another hash would make every stored run unknown."""
    content = {"b": [1, 2.5, None, True], "a": {"text": "ü"}}
    assert records.content_id(content) == "ed2fc1f055f7"
    assert records.content_id({}) == "44136fa355b3"


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
        ([1, 2], (1, 2)),
        ({"a": {"x": 1, "y": [2]}}, {"a": {"y": (2,), "x": 1}}),
    ],
)
def test_content_id_is_that_of_what_is_said(one: Any, two: Any) -> None:
    assert records.content_id(one) == records.content_id(two)


@pytest.mark.parametrize(
    ("one", "two"), [([1, 2], [2, 1]), ({"a": 1}, {"a": 2}), ("1", 1), (None, False), (0, False)]
)
def test_content_id_tells_apart(one: Any, two: Any) -> None:
    assert records.content_id(one) != records.content_id(two)


def test_json_is_readable_and_refuses_nan() -> None:
    content = {"a": (1, 2), "b": {"c": None}}
    raw = records.as_json(content)
    assert json.loads(raw) == {"a": [1, 2], "b": {"c": None}}
    assert raw.endswith(b"\n")
    assert raw.count(b"\n") > 3
    for bad in (float("nan"), float("inf")):
        with pytest.raises(ValueError, match="not JSON compliant"):
            records.as_json({"loss": bad})
