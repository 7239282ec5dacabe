"""`qbench clean --cache`: lists decoded images, removes those that no process uses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from qbench.cli.main import main
from qbench.data.cache import cached


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("QBENCH_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def _cached(key: str) -> Any:
    return cached(key, 3, (2, 1), lambda index: np.full((2, 1), index, np.uint8), print).images


def _lines(capsys: pytest.CaptureFixture[str]) -> list[str]:
    capsys.readouterr()
    assert main(["clean", "--cache"]) == 0
    return capsys.readouterr().out.splitlines()


def test_what_is_in_use_is_named_and_kept(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _cached("flowers\n")
    held = _cached("birds")
    (folder / "ab.pixels").write_bytes(b"of a killed process")
    (folder / "ab.progress").touch()
    (folder / "cd.hash").touch()
    (folder / "mine.txt").touch()
    head, *lines, foot = _lines(capsys)
    assert head == str(folder)
    found = {line.split("  ")[-1]: line.split("  ")[0] for line in lines}
    assert found == {"flowers": "removed", "birds": "in use, kept", "incomplete": "removed"}
    assert any("3 images of 2x1" in line for line in lines)
    assert foot.startswith("2 sets of images, 0.0 MB")
    assert held[2, 0, 0] == 2
    assert sorted(path.suffix for path in folder.iterdir()) == [".json", ".pixels", ".txt"]
    del held
    assert _lines(capsys)[-1].startswith("1 sets of images")
    assert [path.name for path in folder.iterdir()] == ["mine.txt"]


def test_there_may_be_no_folder(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _lines(capsys) == [str(folder), "0 sets of images, 0.0 MB"]
    assert not folder.exists()


def test_a_folder_of_another_user_is_one_sentence(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _cached("birds")

    def refused(path: Path, missing_ok: bool = False) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "unlink", refused)
    assert main(["clean", "--cache"]) == 2
    said = capsys.readouterr().err
    assert said.endswith("pixels: cannot be removed (Permission denied).\n")
    assert said.count("\n") == 1
