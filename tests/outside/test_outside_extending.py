"""docs/extending.md: its tests pass in a pytest of their own, and its commands run."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from doc_pages import SMALL, commands, files, page
from outside_files import write

import qbench
import qbench.testing as contracts
from qbench.cli.main import main

TEXT = page("extending.md")
FILES, COMMANDS = files(TEXT), commands(TEXT)
TESTS = [name for name in FILES if name.startswith("test_")]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The working folder of the page."""
    return write(tmp_path_factory.mktemp("extending"), FILES)


def test_each_kind_has_a_section_with_a_file_a_command_and_a_test() -> None:
    sections = dict(re.findall(r"^## An? ([a-z ]+)\n(.*?)(?=^## )", TEXT, re.M | re.S))
    assert set(sections) == {"model", "data set", "task", "scheme", "op"}
    for kind, text in sections.items():
        check = f"check_{kind.split()[0]}"
        assert len(files(text)) == 2 and len(commands(text)) == 1
        assert any(check in content for name, content in files(text).items() if name in TESTS)
        assert f"`{check}(" in TEXT and check in contracts.__all__
    assert len(contracts.__all__) == len(sections)


@pytest.mark.slow
def test_its_tests_pass_as_a_user_runs_them(folder: Path) -> None:
    (command,) = re.findall(r"^ {4}pytest (.*)", TEXT, re.MULTILINE)
    assert command.split() == TESTS
    root = str(Path(qbench.__file__).parent.parent)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *TESTS],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": root},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(TESTS)} passed" in done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_runs(
    command: str, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    _, *arguments = shlex.split(command)
    assert main([*arguments, *SMALL, f"out={tmp_path / 'out'}"]) == 0


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_is_planned(
    command: str, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(folder)
    _, verb, *arguments = shlex.split(command)
    assert verb == "sweep" and main(["plan", *arguments]) == 0
    assert "configurations" in capsys.readouterr().out
