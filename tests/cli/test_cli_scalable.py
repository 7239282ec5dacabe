"""The tables and figures of scalable codes, from the records and the weights of a sweep."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from qbench.cli.main import main

SCRIPTS = Path(__file__).parent.parent.parent / "scripts"


@pytest.fixture
def scripts(monkeypatch: Any) -> Any:
    """Imports a script by its name."""
    monkeypatch.setattr(sys, "path", [str(SCRIPTS), *sys.path])
    return importlib.import_module


def _frame() -> pd.DataFrame:
    """Runs of two seeds: float, a grid of phi and N, one layer alone, and others that vary."""
    lines: list[dict[str, Any]] = []
    for seed in (0, 1):
        of_float = {"seed": seed, "kind": "float", "accuracy": 75.0 + seed}
        facts = {"scale": "least_squares", "along": "channels", "retrain": "nothing", "epochs": 0}
        facts |= {"search": "distance"}
        coded = facts | {"seed": seed, "kind": "qsq", "layers": "*", "accuracy": 70.0, "saved": 0.9}
        rows = [coded | {"phi": phi, "length": n} for phi in (1, 4) for n in ("4", "16", "depth")]
        alone = [rows[1] | {"layers": name} for name in ("conv1", "conv2")]
        trained = rows[1] | {"retrain": "dense", "epochs": 5}
        paper = rows[1] | {"scale": "equation_9"}
        by_loss = rows[1] | {"search": "loss", "accuracy": 90.0}
        lines += [of_float, *rows, *alone, trained, paper, by_loss]
    return pd.DataFrame(lines).assign(configuration=lambda one: one.astype(str).sum(axis=1))


def test_figures_are_drawn_of_what_there_is(scripts: Any, tmp_path: Path) -> None:
    figures, frame = scripts("scalable_figures"), _frame()
    assert len(scripts("scalable_runs").grid(frame)) == 2 * 6
    assert set(scripts("scalable_runs").single_layers(frame).layers) == {"conv1", "conv2"}
    every = figures.draw(frame, "convnet", tmp_path / "figures")
    assert every == [f"qsq_{name}.png" for name in ("layers", "vectors", "memory", "energy")]
    for name in every:
        assert (tmp_path / "figures" / name).stat().st_size > 5000
    floats = frame[frame.kind == "float"]
    with pytest.raises(ValueError, match="no run with scalable codes"):
        figures.draw(floats, "lenet", tmp_path)


def test_points_are_of_thresholds_by_distance_alone(
    scripts: Any, tmp_path: Path, monkeypatch: Any
) -> None:
    figures, drawn = scripts("scalable_figures"), []

    def kept(figure: Any, folder: Path, name: str) -> str:
        lines = figure.axes[0].lines
        drawn.extend(float(y) for line in lines for y in line.get_ydata())
        return name

    monkeypatch.setattr(figures, "_save", kept)
    figures._energy(_frame(), 75.5, {}, tmp_path)
    assert set(drawn) == {70.0, 75.5}


def test_the_deviations_of_layers_alone_are_within_the_figure(
    scripts: Any, tmp_path: Path, monkeypatch: Any
) -> None:
    """Of 20 and 60 % the mean is 40 and the sample deviation 28.3."""
    figures, frame = scripts("scalable_figures"), _frame()
    alone = scripts("scalable_runs").single_layers(frame).index
    frame.loc[alone, "accuracy"] = frame.loc[alone].seed.map({0: 20.0, 1: 60.0})
    ends, save = {}, figures._save

    def kept(figure: Any, folder: Path, name: str) -> str:
        ends[name] = figure.axes[0].get_ylim()
        return str(save(figure, folder, name))

    monkeypatch.setattr(figures, "_save", kept)
    figures.draw(frame, "lenet", tmp_path)
    assert 0 < ends["qsq_layers"][0] < 40 - 28.28


@pytest.mark.slow
def test_tables_and_figures_of_a_sweep(scripts: Any, tiny: list[str], tmp_path: Path) -> None:
    varied = ["quant/scheme=qsq", "quant.delay=1", "quant.scheme.length=4,depth"]
    fixed = ["design.factors=[quant.scheme.length]", "quant.scheme.phi=1", f"out={tmp_path}"]
    assert main(["sweep", *tiny, *varied, *fixed]) == 0
    script = scripts("quality_scalable")
    script.main([str(tmp_path)])
    found = pd.read_csv(tmp_path / "quality_scalable.csv")
    assert found.kind.tolist() == ["float", "qsq", "qsq"]
    coded, files = found[found.kind == "qsq"], pd.read_csv(tmp_path / "scalable_files.csv")
    assert coded.length.tolist() == ["4", "depth"] and coded.phi.tolist() == [1, 1]
    # What the records count is what the weights say.
    assert coded.zeros.tolist() == pytest.approx(files.zeros.tolist(), rel=1e-4)
    assert coded.saved.tolist() == pytest.approx(files.energy.tolist(), rel=1e-4)
    energy = 1 - (2 * files.weights + 32 * files.scales) / (32 * files.weights)
    assert files.energy.tolist() == pytest.approx(energy.tolist(), rel=1e-5)
    assert files.scales[0] > files.scales[1] and (files.zeros > 0).all()
    digits = pd.read_csv(tmp_path / "digits.csv")
    assert digits.binary.sum() == pytest.approx(1) and digits.signed.sum() == pytest.approx(1)
    mean = (digits[["binary", "signed"]].T @ digits.digits).to_dict()
    assert mean["signed"] < mean["binary"]
    names = [f"qsq_{name}.png" for name in ("vectors", "memory", "energy", "digits")]
    assert all((tmp_path / "figures" / name).stat().st_size > 5000 for name in names)
    # Records alone, as they are committed: the same table, and the other two stay.
    kept = {name: (tmp_path / name).read_bytes() for name in ("scalable_files.csv", "digits.csv")}
    for weights in tmp_path.glob("runs/*/model.weights.h5"):
        weights.unlink()
    for name in names:
        (tmp_path / "figures" / name).unlink()
    script.main([str(tmp_path)])
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "quality_scalable.csv"), found)
    assert all((tmp_path / name).read_bytes() == content for name, content in kept.items())
    assert all((tmp_path / "figures" / name).exists() for name in names)
