"""docs/networks.md: its networks are trained and converted, and its lines say what came of it."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Imports a script by its name; scripts name files from the folder of the repository."""
    monkeypatch.setattr(sys, "path", [str(ROOT / "scripts"), *sys.path])
    monkeypatch.chdir(ROOT)
    yield importlib.import_module
    for name in ("networks_page", "network_runs", "markdown_tables"):
        sys.modules.pop(name, None)


PATHS = {
    "xnnpack": {"accuracy": 51.25, "largest_difference": 2.0, "mean_difference": 0.5},
    "builtin": {"accuracy": 50.0, "largest_difference": 3.0, "mean_difference": 0.25},
    "reference": {"error": "no kernel"},
}
REPORT = {
    **{"export": "exact", "export_note": "takes the image", "bytes": 1_234_567},
    **{"simulation": {"accuracy": 52.0}, "kernels": PATHS},
}


def test_a_line_for_every_network(script: Any) -> None:
    networks = script("networks_page")
    shown = networks.page({})
    assert shown.count("not run yet") == len(networks.NAMES) == 20
    figures = {"seconds": 1.25, "integer": 9, "float": 2, "report": REPORT}
    trained = {**figures, "steps": {"float": 3, "quantized": 4}}
    found = networks.page(
        {
            "MobileNetV2": {**figures, "alike": False},
            "ResNet50V2": {"refused": "add: a reason."},
            "trained/MobileNetV3Small": trained,
        }
    )
    for line in (
        "| MobileNetV2 | 9 | 2 | 3.0 | 0.50 | 1.23 | 1.2 | exact; takes the image |",
        "| ResNet50V2 |  |  |  |  |  |  | refused: add: a reason. |",
        "| MobileNetV3Small | 7 | 52.0 | 51.2 | 50.0 |  | 9 | 2 | 1 | exact; takes the image |",
    ):
        assert line in found.splitlines()


def test_every_configuration_can_be_read(script: Any) -> None:
    runs = script("network_runs")
    for words in [*runs.BUILT.values(), *runs.TRAINED.values()]:
        assert runs.experiment(words).quant.placement == ("deploy",)


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["U-Net, transposed", "U-Net, nearest", "U-Net, bilinear", "squeeze and excitation"]
)
def test_a_trained_network_is_an_integer_file(script: Any, tmp_path: Path, name: str) -> None:
    runs = script("network_runs")
    found = runs.measure_trained([*runs.TRAINED[name], "train.steps=120"], tmp_path)
    assert found["integer"] > 10 and found["float"] == 0
    report = found["report"]
    assert (report["export"], report["export_note"]) == ("exact", "")
    simulated = report["simulation"]["accuracy"]
    assert simulated > 60  # a guess is right for 10 %
    for path in report["kernels"].values():
        assert path["accuracy"] == pytest.approx(simulated, abs=1.5)


@pytest.mark.slow
def test_hard_silu_takes_the_place_of_silu(script: Any) -> None:
    built = script("example_networks").efficientnet_hard((32, 32, 1), 10)
    kinds = [getattr(getattr(one, "activation", None), "__name__", "") for one in built.layers]
    assert "hard_silu" in kinds and "silu" not in kinds
    assert built.output.shape == (None, 10)
