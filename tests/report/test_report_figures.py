"""The loss figures: which are drawn, from what, and that they repeat byte for byte."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import report_examples as examples
from hypothesis import given
from hypothesis import strategies as st

from qbench.planning.factors import FACTORS
from qbench.report.collect import collect
from qbench.report.curves import smooth
from qbench.report.drawing import draw
from qbench.report.figures import _curves, loss_figures

NAMES = ["fig2_delay", "fig3_op", "fig4_range", "fig5_placement"]
BY_KEY = {factor.key: factor for factor in FACTORS}


def _drawn(root: Path, table: list[examples.Row], seeds: int = 1) -> dict[str, bytes]:
    folder = examples.write(root, table, seeds)
    (folder / "figures").mkdir()
    drawn = draw(loss_figures(collect(folder)), folder / "figures")
    return {path.name: path.read_bytes() for one in drawn for path in one.files}


def test_four_figures_are_written_twice_each(tmp_path: Path) -> None:
    found = _drawn(tmp_path, examples.rows())
    assert sorted(found) == sorted(f"{name}.{kind}" for name in NAMES for kind in ("png", "svg"))
    for name, content in found.items():
        assert content.startswith(b"\x89PNG" if name.endswith("png") else b"<?xml")


def test_the_same_records_give_the_same_bytes(tmp_path: Path) -> None:
    first = _drawn(tmp_path / "one", examples.rows())
    second = _drawn(tmp_path / "two", examples.rows())
    assert first == second
    assert not any(b"<dc:date>" in content for content in first.values())


@pytest.mark.slow
def test_other_records_give_other_figures(tmp_path: Path) -> None:
    table = examples.rows()
    table[1], table[2] = table[2], table[1]
    first = _drawn(tmp_path / "one", examples.rows())
    second = _drawn(tmp_path / "two", table)
    assert all(first[name] != second[name] for name in first)


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("quant.delay", "fig2_delay"),
        ("quant.op", "fig3_op"),
        ("quant.range_given", "fig4_range"),
        ("quant.placement", "fig5_placement"),
    ],
)
def test_a_figure_is_drawn_only_for_a_factor_that_varies(
    tmp_path: Path, key: str, name: str
) -> None:
    table = [row for row in examples.rows() if not row.changes or list(row.changes) == [key]]
    assert len(table) == 2
    found = _drawn(tmp_path, [examples.rows()[0], *table])
    assert sorted(found) == [f"{name}.png", f"{name}.svg"]


def test_factors_without_a_figure_draw_none(tmp_path: Path) -> None:
    table = [row for row in examples.rows() if "bits" in row.label or row.label == "default"]
    assert len(table) == 2
    assert _drawn(tmp_path, table) == {}


def _labels(root: Path, table: list[examples.Row], key: str, seeds: int = 1) -> dict[str, Any]:
    sweep = collect(examples.write(root, table, seeds))
    return dict(_curves(sweep, BY_KEY[key]))


def test_curves_are_baseline_default_and_the_other_levels(tmp_path: Path) -> None:
    curves = _labels(tmp_path, examples.rows(), "quant.delay")
    assert list(curves) == ["float baseline", "80 % (default)", "40 %"]
    loss = [float(row["loss"]) for row in examples.history(6, 0)]
    np.testing.assert_allclose(curves["40 %"]["loss"], loss, rtol=1e-6)
    assert list(curves["40 %"]["step"]) == list(range(1, 51))


def test_a_row_that_differs_in_two_factors_is_left_out(tmp_path: Path) -> None:
    table = examples.rows()
    table[6].changes = {"quant.delay": 0.4, "quant.bits": 4}
    assert list(_labels(tmp_path, table, "quant.delay")) == ["float baseline", "80 % (default)"]


@pytest.mark.parametrize("status", ["failed", "diverged", None])
def test_runs_without_figures_have_no_curve(tmp_path: Path, status: str | None) -> None:
    table = examples.rows()
    table[0].statuses = [status]
    assert list(_labels(tmp_path, table, "quant.op")) == ["QDQv2 (default)", "FakeQuant"]


def test_a_curve_is_the_mean_over_the_seeds_that_have_figures(tmp_path: Path) -> None:
    table = examples.rows(3)
    table[2].statuses = ["ok", "failed", "ok"]
    curve = _labels(tmp_path, table, "quant.op", seeds=3)["FakeQuant"]
    losses = [[float(row["loss"]) for row in examples.history(2, seed)] for seed in (0, 2)]
    assert isinstance(curve, pd.DataFrame)
    np.testing.assert_allclose(curve["loss"], np.mean(losses, axis=0), rtol=1e-6)


def _naive(values: list[float]) -> list[float]:
    """Window by window: half a width to both sides, less at the start, cut off at the end."""
    half, found = int(len(values) * 0.04 / 2), []
    for k in range(len(values)):
        reach = min(half, k)
        window = values[k - reach : k + reach + 1]
        found.append(sum(window) / len(window))
    return found


@given(values=st.lists(st.floats(0.001, 1000), min_size=1, max_size=400))
def test_smooth_is_a_moving_mean(values: list[float]) -> None:
    result = smooth(np.array(values))
    assert result.shape == (len(values),)
    np.testing.assert_allclose(result, _naive(values), rtol=1e-7, atol=1e-7)


@pytest.mark.parametrize(("count", "half"), [(49, 0), (50, 1), (100, 2), (1000, 20)])
def test_width_of_the_window(count: int, half: int) -> None:
    """A single peak in the middle is spread over the window, and nothing is lost."""
    values = np.zeros(count)
    values[count // 2] = 1
    result = smooth(values)
    assert np.count_nonzero(result > 1e-9) == 2 * half + 1
    assert result.sum() == pytest.approx(1)
    assert smooth(values)[0] == 0


def test_smooth_keeps_a_constant() -> None:
    np.testing.assert_allclose(smooth(np.full(333, 2.5)), 2.5, rtol=1e-12)
