"""`qbench recommend`: its options, its JSON, and the line that trains a row."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from qbench.base.errors import QbenchError
from qbench.cli import hydra_app
from qbench.cli.main import main
from qbench.cli.training_line import training_line
from qbench.config.experiment import Experiment

RESULTS = Path(__file__).parents[2] / "results"
DIGITS = str(RESULTS / "digits")
BY_TEST = "--choose-by=test"


def config(study: str, label: str) -> dict[str, Any]:
    rows = json.loads((RESULTS / study / "manifest.json").read_bytes())["rows"]
    (run,) = [row["runs"][0]["id"] for row in rows if row["label"] == label]
    found: dict[str, Any] = json.loads(
        (RESULTS / study / "runs" / run / "config.json").read_bytes()
    )
    return found


def trained_by(line: str) -> Experiment:
    """The experiment that a typed line composes."""
    program, verb, *overrides = shlex.split(line)
    assert (program, verb) == ("qbench", "train")
    kept = []
    hydra_app.run(lambda composed: kept.append(hydra_app.settings_of(composed)), overrides)
    return kept[0].base


@pytest.mark.parametrize(
    ("label", "line"),
    [
        ("default", "qbench train study=digits"),
        (
            "quant.placement=[conv,activation,add]",
            "qbench train study=digits 'quant.placement=[conv,activation,add]'",
        ),
    ],
)
def test_the_line_trains_the_row(label: str, line: str) -> None:
    recorded = config("digits", label)
    assert training_line(recorded, "digits") == line
    assert trained_by(line) == Experiment.from_config(recorded)


def test_other_choices_in_groups_are_found() -> None:
    recorded = Experiment.from_config(config("digits", "default")).as_config()
    adam = {"name": "adam", "beta_1": 0.8, "beta_2": 0.999, "epsilon": 1e-7}
    recorded["train"]["optimizer"] = adam
    recorded["data"] |= {"note": "a 'note', with = and ${x}", "validation": 100}
    line = training_line(recorded, "mine")
    assert "train/optimizer=adam" in line
    assert trained_by(line) == Experiment.from_config(recorded)


def test_code_of_ones_own_is_named() -> None:
    line = training_line(config("finetune", "quant.bits=4"), "finetune")
    assert "data=own" in line
    assert "data.name=halves.py:SECOND" in line
    assert "quant.bits=4" in line


def test_what_cannot_be_said_has_no_line() -> None:
    recorded = config("digits", "default")
    recorded["model"]["name"] = "resnet_v9"
    with pytest.raises(QbenchError, match="no choice of model has the name resnet_v9"):
        training_line(recorded, "digits")


def test_json_and_exit_codes(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["recommend", DIGITS, BY_TEST, "--max-size", "97kB", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["limits"]["size"] == 97_000
    assert found["rows"][0]["command"] == "qbench train study=digits"
    assert [row["row"] for row in found["undecided"]] == ["quant.bits=4"]
    assert main(["recommend", DIGITS, BY_TEST, "--max-size=64KiB", "--json"]) == 1
    (miss,) = json.loads(capsys.readouterr().out)["nearest"]["misses"]
    assert (miss["limit"], miss["allowed"]) == ("size", 65_536)


def test_a_table_without_validation_images_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["recommend", DIGITS]) == 2
    assert "data.validation=0.1" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "takes the folder of one sweep"),
        ([DIGITS, "--max-sise=1kB"], "--max-sise is not an option. Did you mean '--max-size'?"),
        ([DIGITS, "--fast=1"], "--choose-by, --min-accuracy, --json."),
        ([DIGITS, "--max-size"], "--max-size: expected a value behind it."),
        ([DIGITS, "--max-size=200"], "--max-size 200: expected a positive number with its unit"),
        ([DIGITS, "--max-size=0kB"], "--max-size 0kB: expected a positive number"),
        ([DIGITS, "--max-latency=2kB"], "--max-latency 2kB: expected a positive number"),
        ([DIGITS, "--min-accuracy=0.9"], "the accuracy is in %; did you mean 90?"),
        ([DIGITS, "--min-accuracy=good"], "the least allowed accuracy in %"),
        ([DIGITS, "--margin=-1"], "--margin -1: expected a number, 0 or up"),
        ([DIGITS, "--kernels=fast"], "expected one of xnnpack, builtin, reference"),
        ([DIGITS, "--by=speed"], "--by speed: expected one of size, latency."),
        ([DIGITS, "--json", "--json"], "--json is given twice"),
        ([DIGITS, "--json=1"], "--json takes no value"),
        (["nowhere"], "nowhere: no such folder"),
    ],
)
def test_mistakes(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["recommend", *arguments]) == 2
    assert said in capsys.readouterr().err


@pytest.mark.slow
def test_tensorflow_is_not_imported() -> None:
    code = (
        "import sys; from qbench.cli.main import main;"
        f"main(['recommend', {DIGITS!r}, {BY_TEST!r}]);"
        "sys.exit('tensorflow' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
