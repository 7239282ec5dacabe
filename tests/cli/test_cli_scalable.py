"""The tables and figures of scalable codes, from the weights of a sweep."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pandas as pd
import pytest

from qbench.cli.main import main

ROOT = Path(__file__).parent.parent.parent


@pytest.mark.slow
def test_tables_and_figures_of_a_sweep(tiny: list[str], tmp_path: Path) -> None:
    varied = ["quant/scheme=qsq", "quant.delay=1", "quant.scheme.length=4,depth"]
    fixed = ["design.factors=[quant.scheme.length]", "quant.scheme.phi=1", f"out={tmp_path}"]
    assert main(["sweep", *tiny, *varied, *fixed]) == 0
    file = ROOT / "scripts" / "quality_scalable.py"
    spec = importlib.util.spec_from_file_location("quality_scalable", file)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.main([str(tmp_path)])
    found = pd.read_csv(tmp_path / "quality_scalable.csv")
    assert found.length.astype(str).tolist() == ["4", "depth"]
    assert found.phi.tolist() == [1, 1] and found.weights.nunique() == 1
    energy = 1 - (2 * found.weights + 32 * found.scales) / (32 * found.weights)
    assert found.energy.tolist() == pytest.approx(energy.tolist(), rel=1e-5)
    assert found.scales[0] > found.scales[1] and (found.zeros > 0).all()
    digits = pd.read_csv(tmp_path / "digits.csv")
    assert digits.binary.sum() == pytest.approx(1) and digits.signed.sum() == pytest.approx(1)
    mean = (digits[["binary", "signed"]].T @ digits.digits).to_dict()
    assert mean["signed"] < mean["binary"]
    for name in ("vectors", "energy", "digits"):
        assert (tmp_path / "figures" / f"qsq_{name}.png").stat().st_size > 5000
