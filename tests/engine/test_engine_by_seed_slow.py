"""A sweep with a budget that is killed within a seed goes on with the same command."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from engine_sweeps import Process, wait_until

from qbench.cli.main import main
from qbench.storage import layout
from qbench.storage.manifests import read_manifest

SWEEP = ["sweep", "study=digits", "train.steps=20", "model.width=4", "eval.limit=100"]
SWEEP += ["design.factors=[quant.bits]", "quant.bits=8,4", "threads=2", "workers=1"]
SWEEP += ["budget=1h", "seeds=[0,1]"]


def _records(folder: Path) -> dict[str, bytes]:
    return {path.parent.name: path.read_bytes() for path in folder.glob("runs/*/record.json")}


@pytest.mark.slow
def test_a_killed_sweep_loses_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "out"
    process = Process([*SWEEP, f"out={folder}"], tmp_path / "scratch")
    try:
        wait_until(lambda: len(_records(folder)) >= 4)
    finally:
        process.kill()
    before = _records(folder)
    assert main(["report", str(folder)]) == 0
    assert "Begun but not complete, so left out: seed 1." in capsys.readouterr().out
    again = Process([*SWEEP, f"out={folder}"], tmp_path / "scratch").wait()
    assert again.code == 0, again.err
    after = _records(folder)
    assert len(after) == 6 and {run: after[run] for run in before} == before
    told = read_manifest(folder)
    assert (told["seeds"], told["by_seed"]["ended"]) == ([0, 1], "all seeds")
    assert (
        "Done seed by seed: 2 of at most 2 seeds." in (folder / layout.TABLE_MARKDOWN).read_text()
    )
    assert json.dumps(told["by_seed"]["measured"]).count("seconds") == 2
