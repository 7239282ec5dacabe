"""What a run's folder holds of its conversion, and which figures are of more worth."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from qbench.engine import conversion_status, converting
from qbench.engine.conversion_status import FileState
from qbench.storage import conversions, records

RECORD = {"weights_sha256": "abc", "data": {"test_images": 100}}
CONTENT = b"a file"


def report(images: int = 100, **values: Any) -> dict[str, Any]:
    whole = {
        "export": "exact",
        "export_note": "",
        "file": "model_int8.tflite",
        "sha256": hashlib.sha256(CONTENT).hexdigest(),
        "images": images,
        "bytes": len(CONTENT),
        "kernels": {},
        "weights_sha256": "abc",
    }
    return {**whole, **values}


NONE = {"export": "none", "export_note": "why", "weights_sha256": "abc"}


@pytest.mark.parametrize(
    ("stored", "known"),
    [
        (report(), True),
        (NONE, True),
        (report(weights_sha256="of another network"), False),
        ({**NONE, "weights_sha256": "of another network"}, False),
        ({"export": "exact", "weights_sha256": "abc"}, False),
        ({}, False),
        ([], False),
    ],
    ids=str,
)
def test_only_whole_reports_of_these_weights_count(tmp_path: Path, stored: Any, known: bool):
    (tmp_path / "deploy.json").write_text(json.dumps(stored))
    assert (conversion_status.report_of(tmp_path, RECORD, None) is not None) == known


def test_each_calibration_has_its_own(tmp_path: Path):
    assert conversion_status.report_of(tmp_path, RECORD, None) is None
    (tmp_path / "deploy_representative.json").write_text(json.dumps(report()))
    assert conversion_status.report_of(tmp_path, RECORD, None) is None
    assert conversion_status.report_of(tmp_path, RECORD, "representative") == report()


def test_a_file_counts_as_it_was_written(tmp_path: Path):
    assert conversion_status.has_file(tmp_path, NONE)
    assert not conversion_status.has_file(tmp_path, report())
    (tmp_path / "model_int8.tflite").write_bytes(CONTENT)
    assert conversion_status.has_file(tmp_path, report())
    (tmp_path / "model_int8.tflite").write_bytes(CONTENT[:-1] + b"?")
    assert not conversion_status.has_file(tmp_path, report())


@pytest.mark.parametrize(
    ("known", "complete"), [(None, False), (NONE, True), (report(), True), (report(99), False)]
)
def test_figures_of_the_runs_own_images_are_complete(known: Any, complete: bool):
    assert conversion_status.is_complete(known, RECORD) == complete


@pytest.mark.parametrize(
    ("known", "new", "stays"),
    [
        (None, 20, False),
        (NONE, 20, False),
        (100, 20, True),
        (100, 100, False),
        (100, 300, True),
        (20, 100, False),
        (20, 50, False),
        (50, 50, False),
        (50, 20, True),
        (300, 100, False),
    ],
    ids=str,
)
def test_figures_of_more_worth_stay(known: Any, new: int, stays: bool):
    stored = report(known) if isinstance(known, int) else known
    assert conversion_status.outranks(stored, report(new), RECORD) == stays


OK, DIVERGED = {**RECORD, "status": "ok"}, {**RECORD, "status": "diverged"}


@pytest.mark.parametrize(
    ("record", "files", "state"),
    [
        (None, "", FileState.UNTRAINED),
        (DIVERGED, "weights", FileState.SETTLED),
        (OK, "weights", FileState.WAITING),
        (OK, "", FileState.WITHOUT_WEIGHTS),
        (OK, "weights report", FileState.WAITING),
        (OK, "weights report file", FileState.SETTLED),
        (OK, "report", FileState.SETTLED),
        (OK, "weights older file", FileState.WAITING),
        (OK, "weights none", FileState.SETTLED),
    ],
)
def test_what_is_left_to_do_for_a_file(monkeypatch, tmp_path: Path, record: Any, files, state):
    monkeypatch.setattr(records, "finished", lambda root, run: record)
    folder = tmp_path / "runs" / "a"
    folder.mkdir(parents=True)
    contents = {
        "weights": ("model.weights.h5", b""),
        "report": ("deploy.json", json.dumps(report()).encode()),
        "older": ("deploy.json", json.dumps(report(images=50)).encode()),
        "none": ("deploy.json", json.dumps(NONE).encode()),
        "file": ("model_int8.tflite", CONTENT),
    }
    for name, content in (contents[key] for key in files.split()):
        (folder / name).write_bytes(content)
    assert conversion_status.state_of(tmp_path, "a", None) == state


def test_a_refused_run_keeps_neither_file_nor_predictions(tmp_path: Path):
    conversions.write(tmp_path, report(), CONTENT, None, b"predictions")
    assert (tmp_path / "deploy_predictions.npz").read_bytes() == b"predictions"
    stored = json.loads((tmp_path / "deploy.json").read_bytes())
    assert stored["predictions_sha256"] == hashlib.sha256(b"predictions").hexdigest()
    converting.refused(tmp_path, RECORD, "failed", "it answers otherwise", None)
    assert [path.name for path in tmp_path.iterdir()] == ["deploy.json"]
