"""Runs come back from their folders in another process, figure for figure."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from qbench.cli.main import main

pytestmark = pytest.mark.slow

QUANTS = ["deploy", "jacob", "contrib"]
XLA = ["quant.op=fake_quant", "train.jit=on", "quant.delay=0"]
CONVERTED = ("model_int8.tflite", "deploy.json")

# One process for all commands, since it takes longer to start than to evaluate a run.
SEVERAL = """
import contextlib, io, json, sys
from qbench.cli.main import main
for command in json.loads(sys.argv[1]):
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        code = main(command)
    print(json.dumps([code, (printed.getvalue().splitlines() or [""])[-1]]), flush=True)
"""


def afresh(commands: list[list[str]]) -> Iterator[list[object]]:
    """Exit code and last line of each command, all in a process that has trained nothing."""
    done = subprocess.run(
        [sys.executable, "-c", SEVERAL, json.dumps(commands)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return map(json.loads, done.stdout.splitlines())


def trained(changes: list[str], out: Path) -> Path:
    """The folder of a run that this process trains."""
    assert main(["train", *changes, f"out={out}"]) == 0
    (record,) = out.glob("runs/*/record.json")
    return record.parent


@pytest.fixture(scope="module")
def rows(tiny_sweep: Path) -> dict[str, str]:
    """The run of each row of the paper's design."""
    manifest = json.loads((tiny_sweep / "manifest.json").read_text())
    return {
        row["label"]: str(tiny_sweep / "runs" / row["runs"][0]["id"]) for row in manifest["rows"]
    }


@pytest.fixture(scope="module")
def runs(tiny: list[str], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Runs for files, and one that XLA compiled."""
    root = tmp_path_factory.mktemp("runs")
    changes = {**{quant: [f"quant={quant}"] for quant in QUANTS}, "xla": XLA}
    return {name: trained([*tiny, *more], root / name) for name, more in changes.items()}


@pytest.fixture(scope="module")
def answers(rows: dict[str, str], runs: dict[str, Path]) -> dict[str, list[list[object]]]:
    """What a fresh process answers for each run; deploying runs are converted in between."""
    asked = [(label, ["evaluate", run]) for label, run in rows.items()]
    for name, run in runs.items():
        evaluate, convert = ["evaluate", str(run)], ["convert", str(run), "eval.limit=50"]
        asked += [(name, evaluate), (name, convert), (name, evaluate)][: 3 if name in QUANTS else 1]
    found: dict[str, list[list[object]]] = {name: [] for name, _ in asked}
    for (name, _), answer in zip(asked, afresh([command for _, command in asked]), strict=True):
        found[name].append(answer)
    return found


SAME = [0, "same as recorded"]


def test_every_row_of_the_paper_comes_back(rows, answers):
    assert len(rows) == 16
    assert {label: answers[label] for label in rows} == {label: [SAME] for label in rows}


@pytest.mark.parametrize("quant", QUANTS)
def test_a_deploying_run_comes_back_with_the_file_that_it_had(quant, runs, answers):
    before, converted, after = answers[quant]
    assert (before, converted[0], after) == (SAME, 0, SAME)
    contents = {}
    for name in CONVERTED:
        contents[name] = (runs[quant] / name).read_bytes()
        (runs[quant] / name).unlink()
    assert main(["convert", str(runs[quant]), "eval.limit=50"]) == 0
    assert {name: (runs[quant] / name).read_bytes() for name in CONVERTED} == contents


def test_a_run_compiled_by_xla_comes_back(answers):
    """Evaluated by XLA both times: the loss would differ otherwise."""
    assert answers["xla"] == [SAME]
