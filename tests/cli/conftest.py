"""What every test of the command line needs."""

from __future__ import annotations

import shutil
from pathlib import Path

import cli_ensembles as ensembles
import pytest

from qbench.cli.main import main


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run in an empty folder: what a user's own sweeps left in the checkout must not matter."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="session")
def whole(tmp_path_factory: pytest.TempPathFactory, tiny: list[str]) -> Path:
    """The folder of a sweep with ensembles."""
    folder = tmp_path_factory.mktemp("ensembles")
    assert main(["sweep", *ensembles.arguments(tiny, folder)]) == 0
    return folder


@pytest.fixture
def copy(whole: Path, tmp_path: Path) -> Path:
    """A copy of the sweep with ensembles, which a test may change."""
    shutil.copytree(whole, tmp_path / "copy")
    return tmp_path / "copy"
