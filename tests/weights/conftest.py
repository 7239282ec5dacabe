"""The files that tests of files from strangers begin with."""

from __future__ import annotations

from pathlib import Path

import pytest
from weights_files import saved


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return saved(tmp_path_factory.mktemp("good"), "good.keras")


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return saved(tmp_path_factory.mktemp("good"), "good.h5")
