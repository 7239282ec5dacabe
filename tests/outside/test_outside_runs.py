"""Runs of code from outside: records, reports, and commands on finished runs."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from outside_files import FILES, NETWORK, OWN, SMALL, record, run_of, said_by, write

from qbench.cli.main import main

FEW = ["design.factors=[quant.bits]", "quant.bits=8,4"]
SPOTS = """
import numpy as np
from qbench.data import Source


def read(folder):
    random = np.random.default_rng(0)
    images = random.integers(0, 255, (80, 8, 8, 1)).astype(np.uint8)
    labels = random.integers(0, 3, 80)
    return images[:60], labels[:60], images[60:], labels[60:]


def spots():
    return Source((8, 8, 1), 3, flip=False, read=read, known={})
"""
OPS = """
from dataclasses import replace
from qbench.quantize.ops import OPS

OP = replace(OPS["fake_quant"], label="mine")
"""


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a network of one's own, and the sweep `out` of three runs of it."""
    folder = write(tmp_path_factory.mktemp("own"), FILES)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        deployed = ["quant=deploy", "deploy.enabled=true", "deploy.calibration=null", "out=out"]
        assert main(["sweep", *OWN, *SMALL, *FEW, *deployed]) == 0
    return folder


@pytest.fixture
def here(swept: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of the sweep as working folder; the files are as they were afterwards."""
    monkeypatch.chdir(swept)
    yield swept
    write(swept, FILES)


def test_runs_are_recorded_with_the_code(swept: Path) -> None:
    for label in ("baseline", "default", "quant.bits=4"):
        found = record(run_of(swept, label))
        assert found["status"] == "ok"
        assert list(found["code"]) == ["model.name=nets/mine.py:build"]
        config = json.loads((run_of(swept, label) / "config.json").read_bytes())
        assert {key: config["model"][key] for key in ("name", "width")} == {
            "name": "nets/mine.py:build",
            "width": 3,
        }
    assert str(swept) not in (run_of(swept) / "record.json").read_text()


def test_a_report_needs_no_code(here: Path) -> None:
    table = (here / "out" / "table.csv").read_bytes()
    shutil.rmtree(here / "nets")
    (here / "out" / "table.csv").unlink()
    assert main(["report", "out"]) == 0
    assert (here / "out" / "table.csv").read_bytes() == table
    assert main(["status", "out"]) == 0


def test_the_same_code_finds_its_runs(
    here: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(here / "nets", tmp_path / "nets")
    monkeypatch.chdir(tmp_path)
    out = ["quant=deploy", f"out={here / 'out'}"]
    assert main(["sweep", *OWN, *SMALL, *FEW, *out]) == 0
    assert "3 runs, 0 to do" in capsys.readouterr().err


@pytest.mark.parametrize("verb", ["evaluate", "convert", "trace"])
def test_a_finished_run_is_loaded_with_its_code(
    verb: str, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = f"out/runs/{run_of(here).name}"
    assert main([verb, run]) == 0
    recorded = record(run_of(here))["code"]["model.name=nets/mine.py:build"][:12]
    write(here, {"nets/parts.py": "NOTHING = 1\n"})
    said = said_by([verb, run], capsys)
    assert said.startswith(f"{run}: model.name=nets/mine.py:build is not the code of this run (SHA")
    assert said.endswith(f"recorded {recorded}).")
    (here / "nets" / "mine.py").unlink()
    file = here / "nets" / "mine.py"
    assert said_by([verb, run], capsys) == f"model=nets/mine.py:build: no such file ({file})."


def test_a_changed_file_gives_a_new_run_of_the_new_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(write(tmp_path, {"mine.py": NETWORK}))
    old = trained(tmp_path, "model=mine.py:build", "model.width=2")
    write(tmp_path, {"mine.py": NETWORK.replace("Conv2D(width", "Conv2D(3 * width")})
    new = trained(tmp_path, "model=mine.py:build", "model.width=2")
    assert old["run"] != new["run"]
    assert old["size"]["values"] < new["size"]["values"]


def test_code_that_changes_after_planning_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write_itself: Callable[[str], str]
) -> None:
    monkeypatch.chdir(write(tmp_path, {"mine.py": write_itself(NETWORK)}))
    sweep = ["sweep", "model=mine.py:build", *SMALL, "design.factors=[]", "out=out"]
    assert main(sweep) == 1
    for label in ("baseline", "default"):
        found = record(run_of(tmp_path, label))
        assert found["status"] == "failed"
        said = "model.name=mine.py:build: the code is not that planned with."
        assert said in found["error"]["message"]


def trained(folder: Path, *arguments: str) -> Any:
    """The record of the newest run of `qbench train`."""
    assert main(["train", *arguments, *SMALL, f"out={folder / 'out'}"]) == 0
    runs = sorted((folder / "out" / "runs").iterdir(), key=lambda run: run.stat().st_ctime_ns)
    return record(runs[-1])


@pytest.fixture
def write_itself() -> Callable[[str], str]:
    """Makes a module change its own file when it is imported."""
    changes = "\n\nfrom pathlib import Path\n\nfile = Path(__file__)\n"
    changes += "file.write_text(file.read_text() + '#')\n"
    return lambda text: text + changes


def test_data_and_an_op_of_ones_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(write(tmp_path, {"spots.py": SPOTS, "ops.py": OPS, **FILES}))
    ops = ["quant.op=ops.py:OP,qdq_v2", "design.factors=[]", "out=out"]
    assert main(["sweep", *OWN, "data=spots.py:spots", *SMALL, *ops]) == 0
    (tmp_path / "ops.py").unlink()
    (tmp_path / "spots.py").unlink()
    capsys.readouterr()
    assert main(["report", "out"]) == 0
    assert "quant.op=qdq_v2" in capsys.readouterr().out
    found = record(run_of(tmp_path))
    assert list(found["code"]) == [
        "data.name=spots.py:spots",
        "model.name=nets/mine.py:build",
        "quant.op=ops.py:OP",
    ]
    assert (found["data"]["name"], found["factors"]["op"]) == ("spots.py:spots", "mine")
    assert list(record(run_of(tmp_path, "baseline"))["code"]) == list(found["code"])[:2]


def test_sharing_is_verified(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["verify-sharing", "study=digits", *OWN, "train.steps=4", "threads=2"]
    assert main([*command, "design.factors=[]"]) == 0
    assert "DIFFERENT" not in capsys.readouterr().out
