"""The outputs that a run keeps: written with it, or later if they belong to it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import records_examples as examples

from qbench.storage import layout, records
from qbench.storage import outputs as stored

RUN = "0123456789ab"
OUTPUTS = np.array([[0.1, -2.5], [3e38, 1e-40]], np.float32)
PREDICTIONS = {"label": np.array([1, 2], np.uint8)}


def _run(root: Path, outputs: Any = None) -> Path:
    examples.write(root, RUN, outputs=None if outputs is None else stored.outputs_file(outputs))
    return layout.run_folder(root, RUN)


def test_they_are_read_as_they_were_written(tmp_path: Path) -> None:
    folder = _run(tmp_path, OUTPUTS)
    assert stored.has(folder, records.read_record(folder))
    found = stored.read(folder)
    assert (found.dtype, found.tobytes()) == (OUTPUTS.dtype, OUTPUTS.tobytes())


@pytest.mark.parametrize("before", ["never kept", "removed"])
def test_a_run_without_gets_them_and_its_record_their_checksum(tmp_path: Path, before: str) -> None:
    folder = _run(tmp_path, OUTPUTS + 1 if before == "removed" else None)
    (folder / layout.OUTPUTS).unlink(missing_ok=True)
    record = records.read_record(folder)
    assert not stored.has(folder, record)
    assert stored.add(folder, stored.outputs_file(OUTPUTS), PREDICTIONS)
    again = records.read_record(folder)
    assert stored.has(folder, again)
    assert np.array_equal(stored.read(folder), OUTPUTS)
    assert again["files"].pop(layout.OUTPUTS) != record["files"].pop(layout.OUTPUTS, None)
    assert again["files"] == record["files"]
    assert examples.unsealed(again) == examples.unsealed(record)


@pytest.mark.parametrize(
    "other",
    [
        {"label": np.array([1, 3], np.uint8)},
        {"label": np.array([1, 2], np.uint16)},
        {"rank": np.array([1, 2], np.uint8)},
        {},
    ],
    ids=["value", "dtype", "name", "none"],
)
def test_outputs_of_other_predictions_are_not_taken(tmp_path: Path, other: Any) -> None:
    folder = _run(tmp_path)
    before = examples.tree(folder)
    assert not stored.add(folder, stored.outputs_file(OUTPUTS), other)
    assert examples.tree(folder) == before


def test_a_process_that_dies_in_between_leaves_a_whole_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = _run(tmp_path, OUTPUTS + 1)
    write = records.write_atomically

    def dies(path: Path, content: bytes) -> None:
        write(path, content)
        raise KeyboardInterrupt

    monkeypatch.setattr(records, "write_atomically", dies)
    with pytest.raises(KeyboardInterrupt):
        stored.add(folder, stored.outputs_file(OUTPUTS), PREDICTIONS)
    monkeypatch.undo()
    assert not stored.has(folder, records.read_record(folder))
    assert stored.add(folder, stored.outputs_file(OUTPUTS), PREDICTIONS)
    assert np.array_equal(stored.read(folder), OUTPUTS)
