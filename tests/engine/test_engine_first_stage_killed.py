"""A sweep that is killed while it decides the number of steps decides the same."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from engine_sweeps import Process, leftovers, results, wait_until

from qbench.storage import layout

pytestmark = pytest.mark.slow

AUTO = ["train.steps=auto", "train/schedule=constant", "data.validation=0.2"]
SWEEP = [
    *("sweep", "study=digits", *AUTO, "train.auto_every=5", "train.auto_patience=2"),
    *("train.auto_most=40", "train.checkpoint_every=2", "model.width=4", "eval.limit=100"),
    *("design.factors=[]", "threads=2", "workers=1"),
]


def _decision(folder: Path) -> dict[str, Any]:
    (path,) = layout.decision_records(folder)
    found: dict[str, Any] = json.loads(path.read_bytes())
    return {key: value for key, value in found.items() if key not in ("finished", "checksum")}


def test_killed_in_the_first_stage_it_decides_the_same(tmp_path: Path) -> None:
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    outcome = Process([*SWEEP, f"out={whole}"], tmp_path / "output").wait()
    assert outcome.code == 0, outcome.err
    seen: set[int] = set()

    def goes_on() -> bool:
        states = layout.decision_files(killed, layout.PARTIAL)
        return any(path.stat().st_mtime_ns not in seen for path in states)

    for _ in range(2):
        process = Process([*SWEEP, f"out={killed}"], tmp_path / "output")
        wait_until(goes_on)
        process.kill()
        process.wait()
        assert layout.decision_records(killed) == []
        states = layout.decision_files(killed, layout.PARTIAL)
        seen |= {path.stat().st_mtime_ns for path in states}
    outcome = Process([*SWEEP, f"out={killed}"], tmp_path / "output").wait()
    assert outcome.code == 0, outcome.err
    assert _decision(killed) == _decision(whole)
    assert results(killed) == results(whole)
    assert leftovers(killed) == []
    left = [path.suffix for path in layout.decisions_folder(killed).iterdir()]
    assert left == [".json"]
