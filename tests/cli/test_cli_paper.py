"""The paper's own study: its network, its steps and slim's images of 224 pixels, end to end."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from qbench.cli.main import main
from qbench.data import DATASETS, Source, load

HERE = ["isolate=false", "threads=2"]


@pytest.fixture(autouse=True)
def _noise() -> Iterator[None]:
    """Colour images of 32 pixels in place of CIFAR-10."""
    random = np.random.default_rng(0)

    def read(_: Path | None) -> tuple[object, ...]:
        parts = [
            (random.integers(0, 256, (count, 32, 32, 3), np.uint8), np.arange(count) % 10)
            for count in (40, 20)
        ]
        return tuple(array for part in parts for array in part)

    source = Source((32, 32, 3), 10, flip=True, read=read, known={})
    load.cache_clear()
    with DATASETS.lent("cifar10", source):
        yield
    load.cache_clear()


def test_the_study_has_slims_preprocessing_and_the_papers_steps(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["plan", "study=paper", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert len(facts["runs"]) == 16
    assert facts["steps_unshared"] == 5_600_000
    assert facts["steps_shared"] == 1_995_000
    assert main(["plan", "study=paper", "data.resolution=64"]) == 2
    assert "data.slim_image_size=224: data.resolution=64 sets another" in capsys.readouterr().err


@pytest.mark.slow
def test_the_graph_has_the_papers_layers_and_quantizers(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["graph", "study=paper"]) == 0
    *_, quantizers, ops = capsys.readouterr().out.splitlines()
    counts = "54 conv kernel, 49 activation tensor, 1 conv tensor"
    assert quantizers == f"quantization ops: 104 ({counts})"
    assert ops == "network ops: 54 Conv2D, 49 Relu, 16 residual Add"


@pytest.mark.slow
def test_rows_are_trained_and_evaluated_at_224_pixels(tmp_path: Path) -> None:
    short = ["train.steps=2", "train.batch_size=2", "eval.limit=8", "quant.delay=0.5"]
    rows = ["design.factors=[data.preprocessing]", "design.baseline=false"]
    assert main(["sweep", "study=paper", *short, *rows, *HERE, "out=out"]) == 0
    runs = [path.parent for path in (tmp_path / "out" / "runs").glob("*/record.json")]
    configs = [json.loads((run / "config.json").read_text()) for run in runs]
    assert sorted(one["data"]["preprocessing"] for one in configs) == ["inception", "vgg"]
    assert {one["data"]["slim_image_size"] for one in configs} == {224}
    for run in runs:
        with np.load(run / "outputs.npz") as outputs:
            (values,) = (outputs[name] for name in outputs.files)
        assert values.shape == (8, 10)
        assert np.isfinite(values).all()


@pytest.mark.slow
def test_shared_steps_on_slims_images_are_the_same_bits(capsys: pytest.CaptureFixture[str]) -> None:
    small = ["study=paper", "model=resnet_digits", "model.width=4", "data.slim_image_size=16"]
    short = ["train.steps=6", "quant.delay=0.5", "eval.limit=8"]
    rows = ["design.factors=[data.preprocessing,quant.bits]"]
    assert main(["verify-sharing", *small, *short, *rows, *HERE]) == 0
    assert "equal" in capsys.readouterr().out
