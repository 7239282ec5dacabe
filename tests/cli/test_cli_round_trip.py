"""Runs come back from their folders in another process, figure for figure."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from qbench.cli.main import main

pytestmark = pytest.mark.slow


def comes_back(run):
    """Whether a fresh process finds what is recorded of a run."""
    command = [sys.executable, "-m", "qbench", "evaluate", str(run)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()[-1] == "same as recorded"


def test_every_row_of_the_paper_comes_back(tiny_sweep):
    rows = json.loads((tiny_sweep / "manifest.json").read_text())["rows"]
    assert len(rows) == 16
    differing = [
        row["label"] for row in rows if not comes_back(tiny_sweep / "runs" / row["runs"][0]["id"])
    ]
    assert differing == []


@pytest.mark.parametrize(
    "quant", ["deploy", "jacob", pytest.param("contrib", marks=pytest.mark.slow)]
)
def test_a_deploying_run_comes_back_with_the_file_that_it_had(quant, tiny, tmp_path):
    out = tmp_path / "out"
    assert main(["train", f"quant={quant}", *tiny, f"out={out}"]) == 0
    (run,) = (out / "runs").iterdir()
    assert comes_back(run)
    assert main(["convert", str(run), "eval.limit=50"]) == 0
    converted = {name: (run / name).read_bytes() for name in ("model_int8.tflite", "deploy.json")}
    again = [sys.executable, "-m", "qbench", "convert", str(run), "eval.limit=50"]
    subprocess.run(again, check=True, capture_output=True)
    assert {name: (run / name).read_bytes() for name in converted} == converted
    assert comes_back(run)


def test_a_run_compiled_by_xla_comes_back(tiny, tmp_path):
    """Evaluated by XLA both times: the loss would differ otherwise."""
    changes = ["quant.op=fake_quant", "train.jit=on", "quant.delay=0"]
    assert main(["train", *tiny, *changes, f"out={tmp_path}"]) == 0
    (run,) = [path.parent for path in tmp_path.glob("runs/*/record.json")]
    assert comes_back(run)
