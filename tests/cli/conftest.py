"""What every test of the command line needs."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run in an empty folder: what a user's own sweeps left in the checkout must not matter."""
    monkeypatch.chdir(tmp_path)
