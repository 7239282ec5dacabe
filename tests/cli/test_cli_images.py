"""Photographs in folders, from plan to evaluation, with a network of one's own."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from qbench.cli.main import main
from qbench.data import load

NETWORK = """
import keras
from keras import layers


def build(shape, classes, width=4):
    image = keras.Input(shape)
    x = layers.Conv2D(width, 3, strides=2, use_bias=False)(image)
    x = layers.ReLU()(layers.BatchNormalization()(x))
    return keras.Model(image, layers.Dense(classes)(layers.GlobalAveragePooling2D()(x)))
"""
CHOSEN = [
    *("study=digits", "data=image_folder", "data.dir=my photos", "data.resolution=12"),
    *("model=net.py:build", "model.width=3", "data.augment=false"),
]
DIVIDED = "data.split=[0.6,0.2,0.2]"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with net.py and JPEG files of odd sizes, in which commands are typed."""
    monkeypatch.setenv("QBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    load.cache_clear()
    (tmp_path / "net.py").write_text(NETWORK)
    random = np.random.default_rng(0)
    for label, name in enumerate(("Kätzchen", "big dog", "vogel")):
        (tmp_path / "my photos" / name).mkdir(parents=True)
        for number in range(10):
            height, width = random.integers(9, 40, 2)
            pixels = random.integers(0, 60, (height, width, 3)).astype(np.uint8)
            pixels[..., label] += 150
            Image.fromarray(pixels).save(tmp_path / "my photos" / name / f"{number}.JPG")
    return tmp_path


def test_a_plan_decodes_nothing(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", *CHOSEN, DIVIDED]) == 0
    assert "16 configurations" in capsys.readouterr().out
    assert not (here / "cache").exists()
    assert main(["plan", *CHOSEN]) == 2
    assert "divide them with data.split=[0.7,0.1,0.2]" in capsys.readouterr().err
    assert main(["plan", *CHOSEN, DIVIDED, "data.fti=pad"]) == 2
    assert "data.fti is not a setting. Did you mean 'data.fit'?" in capsys.readouterr().err
    assert main(["plan", "data.fit=pad"]) == 2
    said = (
        "data.fit is not a setting of this choice; it is one of data=csv, data=image_folder, data"
    )
    assert said in capsys.readouterr().err


def test_a_run_says_classes_and_what_was_left_out(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / "my photos" / "vogel" / "half.png").write_bytes(b"\x89PNG\r\n\x1a\n half")
    small = ["train.steps=4", "train.batch_size=8", "isolate=false", "threads=2", "out=out"]
    assert main(["train", *CHOSEN, DIVIDED, *small]) == 2
    said = capsys.readouterr().err
    assert "1 of 31 files cannot be used: 1 damaged (vogel/half.png: " in said
    assert "Traceback" not in said and not list(here.glob("out/runs/*"))
    skipping = ["data.damaged=skip", "data.fit=pad"]
    assert main(["train", *CHOSEN, DIVIDED, *skipping, *small]) == 0
    assert "1 file left out: 1 damaged" in capsys.readouterr().out
    (run,) = (here / "out" / "runs").iterdir()
    record, config = (
        json.loads((run / name).read_text()) for name in ("record.json", "config.json")
    )
    assert record["data"]["classes"] == ["Kätzchen", "big dog", "vogel"]
    assert record["data"]["left_out"] == {"damaged": {"count": 1, "files": ["vogel/half.png"]}}
    assert record["validation"]["images"] == 6 and record["validation"]["seed"] is None
    assert config["data"]["split"] == [0.6, 0.2, 0.2] and config["data"]["fit"] == "pad"
    load.cache_clear()
    assert main(["evaluate", "out/runs/" + run.name]) == 0
    assert main(["evaluate", "out/runs/" + run.name, "data.dir=my photos/vogel"]) == 2
