"""`qbench init`: a study of one's own that runs as it is."""

from __future__ import annotations

import csv
import os
from pathlib import Path

import pytest

from qbench.cli.main import main

STUDY = ["--config-dir", "conf", "study=first-study"]


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    assert main(["init", "studies/first-study"]) == 0
    folder = tmp_path / "studies" / "first-study"
    monkeypatch.chdir(folder)
    return folder


def test_the_commands_of_its_readme_are_understood(
    made: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = {path.relative_to(made).as_posix() for path in made.rglob("*") if path.is_file()}
    assert found == {"README.md", "net.py", "data.py", "conf/study/first-study.yaml"}
    assert not any("STUDY" in path.read_text() for path in made.rglob("*.*") if path.is_file())
    assert " ".join(["qbench sweep", *STUDY]) in (made / "README.md").read_text()
    assert main(["plan", *STUDY]) == 0
    assert "first-study, ofat: 16 configurations, 16 runs" in capsys.readouterr().out


def test_it_runs_with_its_own_images_and_network(made: Path) -> None:
    few = ["design.factors=[]", "train.steps=12", "model.width=4", "isolate=false", "threads=2"]
    assert main(["sweep", *STUDY, *few, "workers=1", "out=results"]) == 0
    rows = list(csv.DictReader((made / "results" / "table.csv").open()))
    assert [row["status"] for row in rows] == ["ok", "ok"]
    assert all(row["validation_accuracy"] for row in rows)


def test_what_it_says_leads_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["init", "a folder/study_2"]) == 0
    said = capsys.readouterr().out
    assert "cd 'a folder/study_2'\n" in said
    assert "qbench sweep --config-dir conf study=study_2 out=results" in said


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "takes one folder"),
        (["a", "b"], "takes one folder"),
        (["--force"], "takes one folder"),
        (["my study"], "my study is the name of the study; it may have letters, digits"),
        (["2024"], "begins with a letter"),
        (["null"], "no word that YAML reads as a value"),
        (["digits"], "digits is a study of qbench"),
        (["full"], "full: exists and is not an empty folder"),
        (["full/file"], "exists and is not an empty folder"),
    ],
)
def test_a_mistake_is_one_sentence_and_writes_nothing(
    arguments: list[str],
    says: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").write_text("mine")
    monkeypatch.chdir(tmp_path)
    assert main(["init", *arguments]) == 2
    assert says in capsys.readouterr().err
    assert sorted(os.listdir(tmp_path)) == ["full"]
    assert os.listdir(tmp_path / "full") == ["file"]
    assert (tmp_path / "full" / "file").read_text() == "mine"


def test_an_empty_folder_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")
    assert main(["init", "."]) == 0
    assert (tmp_path / "empty" / "conf" / "study" / "empty.yaml").is_file()
