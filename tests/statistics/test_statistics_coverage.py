"""The simulation of benchmarks/coverage.py computes what tables show, and its figures hold."""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from qbench.statistics.comparison import compare

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def coverage(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """Its modules are gone afterwards: other tests have a `common` of their own."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    module = importlib.import_module("coverage")
    assert module.__file__ == str(BENCHMARKS / "coverage.py")
    monkeypatch.setattr(module, "REPETITIONS", 5)
    yield module
    for name in ("coverage", "common"):
        sys.modules.pop(name, None)


@pytest.mark.parametrize(("method", "seeds"), [("paired", 3), ("paired", 8), ("dunnett", 8)])
@pytest.mark.parametrize("step", [0.0, 1.0])
def test_it_shows_the_rows_that_a_comparison_shows(
    method: str, seeds: int, step: float, coverage: ModuleType
) -> None:
    effects = np.linspace(0, 30 if seeds == 3 else 4, coverage.ROWS + 1)[:, None]
    noise, random = coverage._noise({2: 3}), np.random.default_rng(4)
    values = coverage.tables(seeds, noise, 0.0, random) + effects
    values = np.round(values) if step else values
    shown = coverage.METHODS[method](values, step)
    assert 0 < shown.mean() < 1
    for table, expected in zip(values, shown, strict=True):
        rows = {str(row): dict(enumerate(line)) for row, line in enumerate(table.tolist())}
        made = compare(rows, "0", margin=0.0, method=method, resolution=step)
        found = [not one.low <= 0 <= one.high for one in made.rows[1:]]  # type: ignore[operator]
        assert found == expected.tolist()


def test_the_default_keeps_its_promise_in_the_committed_figures() -> None:
    figures = json.loads((BENCHMARKS / "figures" / "coverage.json").read_text())
    assert (figures["repetitions"], figures["rows"]) == (5000, 15)
    errors = figures["error"]
    assert {"equal noise", "two rows 5 times noisier", "reference 5 times noisier"} <= set(errors)
    for of_methods in errors.values():
        assert set(of_methods["paired"]) == {"3", "5", "8"}
        assert max(of_methods["paired"].values()) <= 5.5
    assert max(errors["reference 5 times noisier"]["dunnett"].values()) > 30
