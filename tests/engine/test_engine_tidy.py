"""What killed sweeps have left is removed by the sweep that finishes all runs, and not before."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from qbench.engine import sweep
from qbench.storage import manifests, records

LEFT = [
    "runs/.one.x1.qbench-tmp/config.json",
    "runs/one/.model_int8.tflite.x1.qbench-tmp",
    "segments/.s.state.x1.qbench-tmp",
    "segments/s.state",
    "jobs/0123.json",
    "table/.manifest.json.x1.qbench-tmp",
]


def _record(root: Path, run: str, status: str) -> None:
    record = {"schema": records.SCHEMA, "status": status}
    records.write_run(root, run, config={}, record=record, history=())


def _left(root: Path) -> list[str]:
    return [name for name in LEFT if (root / name).exists()]


def _tidied(
    root: Path,
    rows: list[dict[str, Any]],
    statuses: dict[str, str | None],
    keep_trunks: bool = False,
) -> None:
    """Tidy a sweep of these rows, whose runs have these statuses, after a kill."""
    (root / "table").mkdir()
    manifest = {"schema": records.SCHEMA, "runs": "../runs", "rows": rows}
    manifests.write_manifest(root / "table", manifest)
    for run, status in statuses.items():
        if status:
            _record(root, run, status)
    for name in LEFT:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("")
    sweep._tidy(root, keep_trunks)


@pytest.mark.parametrize(
    "second, left", [("ok", LEFT[5:]), ("diverged", LEFT[5:]), ("failed", LEFT), (None, LEFT)]
)
def test_all_runs_must_be_finished(tmp_path: Path, second: str | None, left: list[str]) -> None:
    names = ["one", "two"]
    runs = [{"seed": seed, "id": run, "segments": ["s"]} for seed, run in enumerate(names)]
    _tidied(tmp_path, [{"runs": runs}], {"one": "ok", "two": second})
    assert _left(tmp_path) == left
    assert records.finished(tmp_path, "one")


def test_trunks_that_are_to_stay_do(tmp_path: Path) -> None:
    rows = [{"runs": [{"seed": 0, "id": "one", "segments": ["s"]}]}]
    _tidied(tmp_path, rows, {"one": "ok"}, keep_trunks=True)
    assert _left(tmp_path) == ["segments/s.state", *LEFT[5:]]


@pytest.mark.parametrize("second", ["failed", None])
def test_a_derived_run_need_not_be(tmp_path: Path, second: str | None) -> None:
    """No process trains one, and it may wait for a member that diverged for ever."""
    rows: list[dict[str, Any]] = [{"runs": [{"seed": 0, "id": "one", "segments": ["s"]}]}]
    rows.append(
        {"derived": {"kind": "ensemble"}, "runs": [{"seed": None, "id": "two", "segments": []}]}
    )
    _tidied(tmp_path, rows, {"one": "diverged", "two": second})
    assert _left(tmp_path) == LEFT[5:]
