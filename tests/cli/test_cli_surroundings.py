"""Folders below the home folder, and Python that strips docstrings: what shells and settings do."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from cli_examples import planned, refused_with

from qbench.cli.main import VERBS, main


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.setenv("HOME", str(folder))
    return folder


@pytest.mark.parametrize("typed", ["~/x", "~/a b-1_2", "'~/a (1)'"])
def test_out_may_be_below_the_home_folder(
    typed: str, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = planned(monkeypatch, f"out={typed}").settings.root
    assert root == home / typed.strip("'").removeprefix("~/")


def test_a_home_of_nobody_is_a_name_like_others(monkeypatch: pytest.MonkeyPatch) -> None:
    assert planned(monkeypatch, "out=~nobody-here/x").settings.root == Path("~nobody-here/x")


def test_data_may_be_below_the_home_folder(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    typed = ["train", "threads=2", "data=mnist", "data.dir=~/mnist"]
    assert "data.dir=~/mnist: no such folder" in refused_with(typed, capsys)
    (home / "mnist").mkdir()
    assert "no such folder" not in refused_with(typed, capsys)


@pytest.mark.parametrize("flag", [["--config-dir=~/conf"], ["--config-dir", "~/conf"]])
def test_a_configuration_may_be_below_the_home_folder(
    flag: list[str], home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / "conf" / "data").mkdir(parents=True)
    (home / "conf" / "data" / "mine.yaml").write_text("defaults: [digits]\nnote: my own\n")
    assert planned(monkeypatch, "data=mine", *flag).settings.base.data.note == "my own"


@pytest.mark.parametrize(
    ("path", "text", "said"),
    [
        ("data/mine", "- a\n- b\n", "data=mine: its file holds no group of settings."),
        (
            "study/mine",
            "# @package _global_\nstudy: {name: own, nam: 3}\n",
            "study.nam is not a setting; did you mean study.name? Allowed: name, repeats.",
        ),
    ],
)
def test_what_a_file_of_ones_own_gets_wrong(
    path: str, text: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / f"{path}.yaml"
    file.parent.mkdir(parents=True)
    file.write_text(text)
    group, _, name = path.rpartition("/")
    assert said in refused_with(["plan", f"{group}={name}", f"--config-dir={tmp_path}"], capsys)


def test_runs_and_sweeps_may_be_below_the_home_folder(
    tiny_sweep: Path, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(tiny_sweep, home / "s")
    manifest = json.loads((home / "s" / "manifest.json").read_bytes())
    run = f"~/s/runs/{manifest['rows'][1]['runs'][0]['id']}"
    for command in (
        *(["status", "~/s"], ["report", "~/s"], ["clean", "~/s"]),
        *(["evaluate", run], ["convert", run], ["trace", run]),
        ["latency", run, "runs=1", "warmup=1", "threads=1,2", "kernels=xnnpack"],
    ):
        assert main(command) == 0
    assert "xnnpack" in capsys.readouterr().out


def test_help_does_not_live_in_docstrings() -> None:
    """`python -OO` strips those."""
    code = (
        "import sys\nfrom qbench.cli.main import VERBS, main\n"
        "sys.exit(any(main([verb, '--help']) for verb in VERBS))\n"
    )
    done = subprocess.run(
        [sys.executable, "-OO", "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONOPTIMIZE": "2"},
    )
    for verb in VERBS:
        assert f"usage: qbench {verb}" in done.stdout


@pytest.mark.slow
def test_a_whole_run_without_docstrings_and_assertions(tiny: list[str], tmp_path: Path) -> None:
    command = [sys.executable, "-OO", "-m", "qbench", "train", *tiny, f"out={tmp_path}"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("seed 0: accuracy")
