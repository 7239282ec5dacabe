"""Sweeps over widths, networks and resolutions, from the command line to their tables."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from qbench.cli.main import main


def _plan(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    assert main(["plan", "--json", "study=digits", *arguments]) == 0
    facts: dict[str, Any] = json.loads(capsys.readouterr().out)
    return facts


def _labels(facts: dict[str, Any]) -> list[str]:
    return [run["label"] for run in facts["runs"]]


# The study, how many runs it has, and how many networks with a float trunk of their own.
STUDIES = [("bits_grid", 26, 1), ("activation", 6, 2), ("depth", 8, 4), ("mobilenet", 12, 6)]


@pytest.mark.parametrize(("study", "runs", "networks"), STUDIES)
def test_every_study_trains_each_network_s_float_steps_once(
    study: str, runs: int, networks: int, capsys: pytest.CaptureFixture[str]
) -> None:
    facts = _plan(capsys, f"study={study}")
    assert len(facts["runs"]) == runs
    assert facts["not_applicable"] == []
    floats = [run for run in facts["runs"] if not run["steps_quantized"]]
    assert len(floats) == networks
    roots = [segment for segment in facts["segments"] if segment["parent"] is None]
    assert len(roots) == networks
    quantized = sum(run["steps_quantized"] for run in facts["runs"])
    assert facts["steps_shared"] == 800 * networks + quantized


# Full scale, as docs/studies.md says it.
CIFAR = ["data=cifar10", "data.dir=DIR", "train=cifar10", "train.steps=64000"]
FULL = [
    (["study=bits_grid", "model=mobilenet_cifar", *CIFAR, "seeds=[0,1,2]"], 78),
    (["study=activation", "model=resnet20", *CIFAR, "seeds=[0,1,2]"], 18),
    (["study=depth", *CIFAR], 8),
    (
        [
            *("study=depth", "data=cifar10", "data.dir=DIR", "model=resnet_slim"),
            *("model.depth=50,101,152", "train=paper", "data.resolution=224"),
        ],
        6,
    ),
    (
        [
            *("study=mobilenet", "model=mobilenet_cifar", *CIFAR),
            *("model.depth_multiplier=1.0,0.75,0.5,0.25", "data.resolution=32,28,24,20"),
        ],
        32,
    ),
    (
        [
            *("study=mobilenet", "model=mobilenet_v1", *CIFAR),
            *("model.depth_multiplier=1.0,0.5", "data.resolution=224,192,160,128"),
        ],
        16,
    ),
]


@pytest.mark.parametrize(("overrides", "runs"), FULL, ids=[" ".join(o[:3]) for o, _ in FULL])
def test_full_scale_is_an_override(
    overrides: list[str], runs: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert len(_plan(capsys, *overrides)["runs"]) == runs


def test_depth_varies_by_key_and_by_model(capsys: pytest.CaptureFixture[str]) -> None:
    facts = _plan(capsys, "design=networks", "model=resnet_cifar", "model.depth=20,32")
    depth = "model.depth=32"
    assert _labels(facts) == ["baseline", "default", f"{depth} quant.enabled=false", depth]
    facts = _plan(capsys, "design=networks", "model=resnet20,resnet32,resnet56")
    assert _labels(facts)[1::2] == ["default", "model=resnet32", "model=resnet56"]
    assert len([s for s in facts["segments"] if s["parent"] is None]) == 3


def test_one_value_fixes_a_factor_of_a_design(capsys: pytest.CaptureFixture[str]) -> None:
    facts = _plan(capsys, "design=grid", "quant.weight_bits=4", "quant.activation_bits=8,4")
    assert _labels(facts) == ["baseline", "default", "quant.activation_bits=4"]


@pytest.fixture(scope="module")
def grid(tmp_path_factory: pytest.TempPathFactory, tiny: list[str]) -> Path:
    """A grid of two by two widths, ten steps each."""
    folder = tmp_path_factory.mktemp("grid")
    levels = ["quant.weight_bits=8,2", "quant.activation_bits=8,4"]
    assert main(["sweep", *tiny, "study=bits_grid", *levels, f"out={folder}"]) == 0
    return folder


@pytest.mark.slow
def test_a_grid_is_the_difference_of_the_accuracies_in_its_table(grid: Path) -> None:
    table = pd.read_csv(grid / "table.csv").set_index("configuration")["accuracy"]
    with (grid / "bits_grid.csv").open(newline="") as file:
        head, *lines = csv.reader(file)
    assert head == ["weight_bits", "8", "4"]
    labels = [
        ["default", "quant.activation_bits=4"],
        ["quant.weight_bits=2", "quant.weight_bits=2 quant.activation_bits=4"],
    ]
    assert [line[0] for line in lines] == ["8", "2"]
    for line, row in zip(lines, labels, strict=True):
        expected = [table[label] - table["baseline"] for label in row]
        assert [float(cell) for cell in line[1:]] == pytest.approx(expected, abs=2e-6)


@pytest.mark.slow
def test_a_grid_quantizes_weights_and_activations_by_their_own_widths(grid: Path) -> None:
    runs = pd.read_csv(grid / "runs.csv").set_index("configuration")
    assert runs.loc["quant.weight_bits=2 quant.activation_bits=4", "bits"] == "w2/a4"
    assert runs.loc["quant.activation_bits=4", "bits"] == "w8/a4"
    sizes = runs["size_mb"]
    assert sizes["baseline"] == pytest.approx(4 * sizes["default"], rel=1e-3)
    assert sizes["default"] == pytest.approx(4 * sizes["quant.weight_bits=2"], rel=1e-3)
    assert sizes["default"] == sizes["quant.activation_bits=4"]
    assert (grid / "figures" / "bits_grid.png").is_file()


@pytest.mark.slow
def test_networks_by_activation_and_resolution(
    tmp_path: Path, tiny: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    overrides = ["model.activation=relu,relu6", "data.resolution=8,4", "train.steps=5"]
    assert main(["sweep", *tiny, "design=networks", *overrides, f"out={tmp_path}"]) == 0
    shown = capsys.readouterr().out
    assert "Quantized against float accuracy" in shown
    lines = pd.read_csv(tmp_path / "differences.csv")
    assert lines[["model.activation", "data.resolution"]].to_numpy().tolist() == [
        ["relu", 8],
        ["relu", 4],
        ["relu6", 8],
        ["relu6", 4],
    ]
    table = pd.read_csv(tmp_path / "table.csv").set_index("configuration")["accuracy"]
    label = "model.activation=relu6 data.resolution=4"
    expected = table[label] - table[f"{label} quant.enabled=false"]
    assert lines["difference"].iloc[-1] == pytest.approx(expected, abs=2e-6)
    run = pd.read_csv(tmp_path / "runs.csv").set_index("configuration").loc[label, "run"]
    assert main(["evaluate", str(tmp_path / "runs" / str(run))]) == 0
    assert "same as recorded" in capsys.readouterr().out
    assert main(["convert", str(tmp_path / "runs" / str(run))]) == 0
    assert "model_int8.tflite" in capsys.readouterr().out


@pytest.mark.parametrize("model", ["resnet_digits", "resnet8", "resnet20", "resnet50_v1"])
def test_activation_can_be_chosen_for_every_network(
    model: str, capsys: pytest.CaptureFixture[str]
) -> None:
    facts = _plan(capsys, "design=networks", f"model={model}", "model.activation=relu,relu6")
    assert _labels(facts)[-1] == "model.activation=relu6"


@pytest.mark.slow
def test_graph_of_relu6_and_of_a_mobilenet(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["graph", "study=digits", "threads=2", "model.activation=relu6"]) == 0
    assert capsys.readouterr().out.splitlines()[-1].startswith("network ops: 9 Conv2D, 1 MatMul, 7")
    overrides = ["study=mobilenet", "model.depth_multiplier=0.25", "data.resolution=6"]
    assert main(["graph", "threads=2", *overrides]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == "network ops: 14 Conv2D, 13 DepthwiseConv2d, 1 MatMul, 27 Relu"
    # 28 kernels, 27 outputs of an activation and the pooled tensor.
    assert "quantization ops: 56 (28 conv kernel, 27 activation tensor, 1 conv tensor)" in lines
