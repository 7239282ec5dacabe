"""Fixtures of the tests of data sets."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from image_files import tree

from qbench.data import load


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An empty cache folder, and no data set that was loaded before."""
    monkeypatch.setenv("QBENCH_CACHE", str(tmp_path / "cache"))
    load.cache_clear()
    yield
    load.cache_clear()


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A tree of 3 classes with 10 images each."""
    return tree(tmp_path / "photos")


@pytest.fixture
def divided(tmp_path: Path) -> Path:
    """The same in train/, test/ and validation/."""
    for number, part in enumerate(("train", "test", "validation")):
        tree(tmp_path / "divided" / part, images=4 - number, first=100 * number)
    return tmp_path / "divided"
