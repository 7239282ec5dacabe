"""What killed sweeps have left is removed by the sweep that finishes all runs, and not before."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from qbench.engine import sweep
from qbench.storage import records

LEFT = [
    "runs/.one.x1.qbench-tmp/config.json",
    "runs/one/.model_int8.tflite.x1.qbench-tmp",
    "segments/.s.state.x1.qbench-tmp",
    "jobs/0123.json",
    "table/.manifest.json.x1.qbench-tmp",
]


def _record(root: Path, run: str, status: str) -> None:
    record = {"schema": records.SCHEMA, "status": status}
    records.write_run(root, run, config={}, record=record, history=())


def _left(root: Path) -> list[str]:
    return [name for name in LEFT if (root / name).exists()]


@pytest.mark.parametrize(
    "second, left", [("ok", LEFT[4:]), ("diverged", LEFT[4:]), ("failed", LEFT), (None, LEFT)]
)
def test_all_runs_must_be_finished(tmp_path: Path, second: str | None, left: list[str]) -> None:
    folder = tmp_path / "table"
    folder.mkdir()
    runs = [{"seed": seed, "id": run} for seed, run in enumerate(["one", "two"])]
    manifest = {"schema": records.SCHEMA, "runs": "../runs", "rows": [{"runs": runs}]}
    records.write_manifest(folder, manifest)
    _record(tmp_path, "one", "ok")
    if second:
        _record(tmp_path, "two", second)
    for name in LEFT:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")
    sweep._tidy(tmp_path)
    assert _left(tmp_path) == left
    assert records.finished(tmp_path, "one")


@pytest.mark.parametrize("second", ["failed", None])
def test_a_derived_run_need_not_be(tmp_path: Path, second: str | None) -> None:
    """No process trains one, and it may wait for a member that diverged for ever."""
    folder = tmp_path / "table"
    folder.mkdir()
    rows: list[dict[str, Any]] = [{"runs": [{"seed": 0, "id": "one"}]}]
    rows.append({"derived": {"kind": "ensemble"}, "runs": [{"seed": None, "id": "two"}]})
    manifest = {"schema": records.SCHEMA, "runs": "../runs", "rows": rows}
    records.write_manifest(folder, manifest)
    _record(tmp_path, "one", "diverged")
    if second:
        _record(tmp_path, "two", second)
    for name in LEFT:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")
    sweep._tidy(tmp_path)
    assert _left(tmp_path) == LEFT[4:]
