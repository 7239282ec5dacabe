"""`train.steps=auto` as a user types it: refusals, and the plan."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from qbench.cli.main import main
from qbench.storage import layout

AUTO = ["train.steps=auto", "train/schedule=constant", "data.validation=0.2"]


def _refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    assert main(arguments) == 2
    (line,) = capsys.readouterr().err.splitlines()
    return line.removeprefix("qbench: ")


@pytest.mark.parametrize("verb", ["train", "verify-sharing"])
def test_verbs_that_need_the_number_say_so(
    verb: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = _refused([verb, "study=digits", *AUTO, f"out={tmp_path / 'out'}"], capsys)
    assert line == (
        "train.steps=auto: only qbench sweep decides the number of steps; give it a number here."
    )
    assert not (tmp_path / "out").exists()


def test_a_number_takes_no_settings_of_a_first_stage(capsys: pytest.CaptureFixture[str]) -> None:
    for verb in ("train", "sweep", "plan"):
        line = _refused([verb, "study=digits", "train.auto_most=50", "train.auto_every=1"], capsys)
        assert line == "train.auto_most=50: it has an effect only with train.steps=auto."


@pytest.mark.parametrize("name", ["", "ofat"])
def test_clean_removes_what_a_given_up_first_stage_left(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The folder of a first stage has no manifest yet; it may be below the study's."""
    sweep = tmp_path / name
    sweep.mkdir(exist_ok=True)
    decisions = layout.decisions_folder(tmp_path)
    decisions.mkdir()
    for one in ("waiting", "given-up"):
        (decisions / f"{one}.partial").write_bytes(b"x" * 200_000)
    told = {"runs": layout.runs_seen_from(sweep, tmp_path), "decisions": [{"id": "waiting"}]}
    (sweep / layout.DECIDING).write_text(json.dumps(told))
    for folder, line in ((sweep, "1 files, 0.2 MB"), (tmp_path, "0 files, 0.0 MB")):
        assert main(["clean", str(folder)]) == 0
        assert capsys.readouterr().out.splitlines() == [line]
    assert [path.name for path in decisions.iterdir()] == ["waiting.partial"]


@pytest.mark.parametrize("verb", ["train", "sweep", "plan", "graph"])
def test_the_default_schedule_is_refused(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    line = _refused([verb, "study=digits", "train.steps=auto"], capsys)
    assert line.startswith("train.steps=auto: the rates of train/schedule=cosine depend on")


def test_the_papers_plan_is_in_fractions(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["plan", "study=paper", "train.steps=auto", f"out={tmp_path}", "--json"]) == 0
    facts: dict[str, Any] = json.loads(capsys.readouterr().out)
    floats = {run["row"]: run["quantized_from"] for run in facts["runs"]}
    assert (floats["baseline"], floats["default"], floats["quant.delay=0.4"]) == (1, 0.8, 0.4)
    assert facts["first_stage"]["rows"] == [run["row"] for run in facts["runs"]]
    assert facts["ratio"] == 0.3563  # of steps, as with the paper's 350,000: see full-scale.md
