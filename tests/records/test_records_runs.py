"""A run's folder: there at once and complete, kept once finished, replaced if failed."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import records_examples as examples

from qbench.base.errors import DiskFull, QbenchError
from qbench.storage import layout, records

RUN = "0123456789ab"
FILES = {
    *("config.json", "record.json", "history.csv"),
    *("predictions.npz", "outputs.npz", "ranges.json", "model.weights.h5"),
}


def _inside(root: Path) -> set[str]:
    return {path.name for path in (root / "runs").iterdir()}


def test_a_run_has_its_seven_files(tmp_path: Path) -> None:
    examples.write(tmp_path, RUN)
    folder = layout.run_folder(tmp_path, RUN)
    assert folder == tmp_path / "runs" / RUN
    assert {path.name for path in folder.iterdir()} == FILES
    assert _inside(tmp_path) == {RUN}
    assert examples.unsealed(records.read_record(folder)) == examples.record()
    assert (folder / "history.csv").read_text() == "step,phase,loss\n1,float,2.5\n"
    with np.load(folder / "predictions.npz") as stored:
        np.testing.assert_array_equal(stored["label"], [1, 2])
    assert (folder / "model.weights.h5").read_bytes() == b"weights"


def test_a_run_without_results_has_three_files(tmp_path: Path) -> None:
    record = examples.record("failed")
    records.write_run(tmp_path, RUN, config={}, record=record)
    folder = layout.run_folder(tmp_path, RUN)
    assert {p.name for p in folder.iterdir()} == {"config.json", "record.json", "history.csv"}
    assert (folder / "history.csv").read_text() == "step\n"


def test_the_folder_is_complete_when_it_appears(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rename, seen = os.rename, []

    def watched(source: Path, target: Path) -> None:
        seen.append((target.exists(), {path.name for path in Path(source).iterdir()}))
        rename(source, target)

    monkeypatch.setattr(records.os, "rename", watched)
    examples.write(tmp_path, RUN)
    assert seen == [(False, FILES)]


def _refuse(*_: Any) -> None:
    raise RuntimeError("broken")


BREAKS: list[tuple[str, dict[str, Any]]] = [
    ("weights", {"weights": _refuse}),
    ("record", {"record": {"loss": float("nan")}}),
    ("config", {"config": {"x": object()}}),
    ("history", {"history": [{"step": 1}, {"loss": 2}]}),
    ("ranges", {"ranges": {"x": float("inf")}}),
]


@pytest.mark.parametrize("more", [b[1] for b in BREAKS], ids=[b[0] for b in BREAKS])
@pytest.mark.parametrize("before", [None, "failed", "ok"])
def test_a_run_that_cannot_be_written_leaves_all_as_it_was(
    tmp_path: Path, more: dict[str, Any], before: str | None
) -> None:
    (tmp_path / "runs").mkdir()
    if before:
        examples.write(tmp_path, RUN, before)
    there = examples.tree(tmp_path)
    with pytest.raises((RuntimeError, ValueError, TypeError)):
        examples.write(tmp_path, RUN, **more)
    assert examples.tree(tmp_path) == there
    assert _inside(tmp_path) == ({RUN} if before else set())


@pytest.mark.parametrize("fault", ["fsync", "replace", "rename"])
def test_a_disk_that_fails_leaves_no_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    def fail(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(records.os, fault, fail)
    with pytest.raises(DiskFull, match=f"disk full: no room for {tmp_path}/runs/{RUN};"):
        examples.write(tmp_path, RUN)
    assert _inside(tmp_path) == set()


@pytest.mark.parametrize("status", ["ok", "diverged"])
def test_a_finished_run_is_never_overwritten(tmp_path: Path, status: str) -> None:
    examples.write(tmp_path, RUN, status)
    before = examples.tree(tmp_path)
    examples.write(tmp_path, RUN, "failed", config={"seed": 1})
    examples.write(tmp_path, RUN, "ok", config={"seed": 2})
    assert examples.tree(tmp_path) == before
    assert _inside(tmp_path) == {RUN}
    assert examples.unsealed(records.finished(tmp_path, RUN)) == examples.record(status)


def test_a_failed_run_is_replaced(tmp_path: Path) -> None:
    examples.write(tmp_path, RUN, "failed")
    assert records.finished(tmp_path, RUN) is None
    assert examples.unsealed(records.existing_record(tmp_path, RUN)) == examples.record("failed")
    records.write_run(tmp_path, RUN, config={"seed": 9}, record=examples.record())
    folder = layout.run_folder(tmp_path, RUN)
    assert {p.name for p in folder.iterdir()} == {"config.json", "record.json", "history.csv"}
    assert examples.unsealed(records.finished(tmp_path, RUN)) == examples.record()


def test_a_run_that_left_no_record_is_replaced(tmp_path: Path) -> None:
    folder = layout.run_folder(tmp_path, RUN)
    folder.mkdir(parents=True)
    (folder / "rubbish").write_text("")
    assert records.existing_record(tmp_path, RUN) is None
    examples.write(tmp_path, RUN)
    assert {path.name for path in folder.iterdir()} == FILES


@pytest.mark.parametrize(("status", "kept"), [("ok", True), ("diverged", True), ("failed", False)])
def test_failed_attempts_are_discarded(tmp_path: Path, status: str, kept: bool) -> None:
    examples.write(tmp_path, RUN, status)
    records.discard_failed(tmp_path, RUN)
    assert layout.run_folder(tmp_path, RUN).exists() is kept


def test_discarding_what_is_not_there(tmp_path: Path) -> None:
    records.discard_failed(tmp_path, RUN)
    assert examples.tree(tmp_path) == {}


DAMAGED: list[tuple[str, bytes, str]] = [
    ("empty", b"", "cannot be read as the record of a run"),
    ("cut off", b'{"schema": 1, "sta', "cannot be read as the record of a run"),
    ("not text", b"\xff\xfe\x00\x01", "cannot be read as the record of a run"),
    ("a list", b"[1]", "not a record of schema 1"),
    ("another schema", b'{"schema": 2, "status": "ok"}', "not a record of schema 1"),
    ("no schema", b"{}", "not a record of schema 1"),
    ("no status", b'{"schema": 1}', "its checksum is wrong"),
]


def _existing(folder: Path) -> Any:
    return records.existing_record(folder.parent.parent, folder.name)


@pytest.mark.parametrize("raw_says", [d[1:] for d in DAMAGED], ids=[d[0] for d in DAMAGED])
@pytest.mark.parametrize("read", [records.read_record, _existing])
def test_a_damaged_record_is_named(tmp_path: Path, raw_says: tuple[bytes, str], read: Any) -> None:
    raw, says = raw_says
    examples.write(tmp_path, RUN)
    folder = layout.run_folder(tmp_path, RUN)
    path = folder / "record.json"
    path.write_bytes(raw)
    with pytest.raises(records.DamagedRun) as error:
        read(folder)
    assert str(error.value).startswith(f"{path}: ")
    assert says in str(error.value)
    assert path.read_bytes() == raw


@pytest.mark.parametrize("raw", [d[1] for d in DAMAGED], ids=[d[0] for d in DAMAGED])
def test_a_damaged_record_does_not_count_as_finished_and_is_left_alone(
    tmp_path: Path, raw: bytes
) -> None:
    examples.write(tmp_path, RUN)
    path = layout.run_folder(tmp_path, RUN) / "record.json"
    path.write_bytes(raw)
    before = examples.tree(tmp_path)
    assert records.finished(tmp_path, RUN) is None
    assert examples.tree(tmp_path) == before


def test_a_missing_record_is_named(tmp_path: Path) -> None:
    with pytest.raises(QbenchError) as error:
        records.read_record(tmp_path)
    assert str(error.value) == f"{tmp_path / 'record.json'}: no such file; expected the record" + (
        " of a run."
    )
    assert records.existing_record(tmp_path, RUN) is None


def _fails(root: Path) -> None:
    records.write_run(root, RUN, config={}, record=examples.record("failed"))


def _discards(root: Path) -> None:
    records.discard_failed(root, RUN)


def _finished_meanwhile(root: Path, patch: pytest.MonkeyPatch, at: int) -> None:
    """Another machine finishes the run just before this one moves a folder for the at-th time."""
    examples.write(root / "other", RUN)
    rename, moves = os.rename, []

    def renamed(source: Path, target: Path) -> None:
        moves.append(source)
        if len(moves) == at:
            folder = layout.run_folder(root, RUN)
            shutil.rmtree(folder, ignore_errors=True)
            shutil.copytree(layout.run_folder(root / "other", RUN), folder)
        rename(source, target)

    patch.setattr(records.os, "rename", renamed)


# What is done to the run here, whether it had failed before, and which of the moves is too late.
LATE = {
    "fails-anew": (_fails, False, 1),
    "fails-again-and-removes": (_fails, True, 1),
    "fails-again-and-puts": (_fails, True, 2),
    "discards": (_discards, True, 1),
}


@pytest.mark.parametrize("case", LATE)
def test_a_run_that_another_machine_finishes_meanwhile_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    does, failed_before, at = LATE[case]
    if failed_before:
        _fails(tmp_path)
    _finished_meanwhile(tmp_path, monkeypatch, at)
    does(tmp_path)
    assert records.finished(tmp_path, RUN)
    assert _inside(tmp_path) == {RUN}


def test_a_run_that_another_machine_replaces_while_it_is_read_is_not_set_aside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _fails(tmp_path)
    (layout.run_folder(tmp_path, RUN) / "history.csv").unlink()
    _finished_meanwhile(tmp_path, monkeypatch, 1)
    said: list[str] = []
    records.set_aside_damaged(tmp_path, RUN, said.append)
    assert records.finished(tmp_path, RUN)
    assert (said, _inside(tmp_path)) == ([], {RUN})
