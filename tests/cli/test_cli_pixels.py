"""Files that take raw pixels: a network that begins with Rescaling, trained, converted, traced.

The images are resized, so that they are rounded to whole pixels; augmentation, statistics and
batches of the newer kinds are in use.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from qbench.cli.main import main
from qbench.data import load
from qbench.deploy.lite import KERNELS, LiteFile

NETWORK = """
import keras
from keras import layers


def build(shape, classes):
    image = keras.Input(shape)
    x = layers.Rescaling(1 / 255, name="unit")(image)
    x = layers.Conv2D(6, 3, strides=2, padding="same", use_bias=False)(x)
    x = layers.ReLU()(layers.BatchNormalization(momentum=0.9)(x))
    x = layers.Conv2D(8, 3, padding="same")(x)
    x = layers.GlobalAveragePooling2D()(layers.ReLU()(x))
    return keras.Model(image, layers.Dense(classes, name="logits")(x))


def halves(shape, classes):
    image = keras.Input(shape)
    x = layers.Rescaling(1 / 127.5, -1, name="halves")(image)
    return keras.Model(image, layers.Dense(classes)(layers.Flatten()(x)))
"""
TINY = [
    *("study=digits", "train.steps=30", "eval.limit=150", "threads=2", "isolate=false"),
    "design.factors=[]",
]
RAW = ["quant=deploy", "data.preprocessing=none", "deploy.input=uint8,int8", "deploy.enabled=true"]
INPUTS = ["data.resolution=12", "data.augment=rand", "train.balanced_batches=true"]


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> str:
    file = tmp_path_factory.mktemp("network") / "net.py"
    file.write_text(NETWORK)
    return str(file)


@pytest.fixture(scope="module")
def sweep(network: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sweep")
    chosen = [*TINY, *RAW, *INPUTS, f"model={network}:build", f"out={folder}"]
    assert main(["sweep", *chosen]) == 0
    return folder


def _run(sweep: Path, label: str) -> Path:
    manifest = json.loads((sweep / "manifest.json").read_text())
    (row,) = [row for row in manifest["rows"] if row["label"] == label]
    return sweep / "runs" / str(row["runs"][0]["id"])


def _read(path: Path) -> Any:
    return json.loads(path.read_text())


ROWS = {"default": "uint8", "deploy.input=int8": "int8"}


def test_both_forms_of_pixels_are_trained_once(sweep: Path) -> None:
    records = [_read(_run(sweep, label) / "record.json") for label in ROWS]
    assert records[0]["run"] != records[1]["run"]
    assert records[0]["weights_sha256"] == records[1]["weights_sha256"]
    jobs = [json.loads(line) for line in (sweep / "jobs.jsonl").read_text().splitlines()]
    assert sum(job["steps"] for job in jobs) == 24 + 6 + 6


@pytest.mark.parametrize("label", ROWS)
def test_files_are_exact_on_every_path(sweep: Path, label: str) -> None:
    report = _read(_run(sweep, label) / "deploy.json")
    assert (report["export"], report["export_note"]) == ("exact", "")
    assert report["input"] == ROWS[label]
    for path in KERNELS:
        assert report["kernels"][path]["agreement"] > 97
        assert report["kernels"][path]["mean_difference"] < 0.5
        assert abs(report["kernels"][path]["accuracy"] - report["simulation"]["accuracy"]) < 2


@pytest.mark.parametrize("label", ROWS)
def test_the_file_takes_the_pixels_themselves(sweep: Path, label: str) -> None:
    """Rescaling is in the scale of the input; pixels are rounded by an independent resizing."""
    run, dtype = _run(sweep, label), ROWS[label]
    file = LiteFile((run / "model_int8.tflite").read_bytes(), "reference")
    graph = file.graph()
    assert graph.image.dtype == dtype
    assert graph.image.scales == pytest.approx([1 / 255])
    assert graph.image.zero_point == {"uint8": 0, "int8": -128}[dtype]
    multiplying = [op.name for op in graph.operators if op.name not in ("QUANTIZE", "RESHAPE")]
    assert multiplying == ["CONV_2D", "CONV_2D", "MEAN", "FULLY_CONNECTED"]
    images = load("digits", None).test_images[:150]
    resized = np.asarray(tf.image.resize(images, (12, 12), antialias=True))
    pixels = np.floor(resized + 0.5).astype(np.int16) - (128 if dtype == "int8" else 0)
    outputs = file.outputs(pixels.astype(dtype))
    with np.load(run / "outputs.npz") as kept:
        (simulated,) = kept.values()
    assert (outputs.argmax(axis=1) == simulated.argmax(axis=1)).mean() > 0.97
    step = file.output_step()
    assert np.median(np.abs(outputs - simulated).max(axis=1)) <= 2 * step


def test_the_float_network_quantized_after_training_takes_pixels_too(sweep: Path) -> None:
    run = _run(sweep, "baseline")
    report = _read(run / "deploy_representative.json")
    assert (report["input"], report["export"]) == ("uint8", "post-training")
    image = LiteFile((run / "model_int8.tflite").read_bytes(), "builtin").graph().image
    assert (image.dtype, image.zero_point) == ("uint8", 0)
    assert image.scales == pytest.approx([1 / 255])
    assert report["kernels"]["xnnpack"]["agreement"] > 90
    float_file = _read(run / "deploy.json")
    assert "input" not in float_file
    assert float_file["export_note"] == (
        "takes what the network reads, since only int8 files take raw pixels"
    )


@pytest.mark.parametrize("label", ROWS)
def test_commands_on_a_run(sweep: Path, label: str, capsys: pytest.CaptureFixture[str]) -> None:
    run = str(_run(sweep, label))
    assert main(["evaluate", run]) == 0
    assert "same as recorded" in capsys.readouterr().out
    assert main(["trace", run, "images=40"]) == 0
    said = capsys.readouterr().out
    (image,) = [line.split() for line in said.splitlines() if line.startswith("unit ")]
    assert float(image[2]) < 1e-3  # the largest difference of the image, in steps
    assert "not found in the file" not in said
    assert main(["latency", run, "runs=1", "kernels=builtin", "threads=1"]) == 0
    assert "int8/float" in capsys.readouterr().out
    assert main(["convert", run]) == 0
    assert "model_int8.tflite" in capsys.readouterr().out


def test_what_cannot_take_pixels_is_refused_before_training(
    network: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one = [*TINY, "quant=deploy", "deploy.input=int8", f"out={tmp_path / 'out'}"]
    assert main(["train", *one, f"model={network}:halves", "data.preprocessing=none"]) == 2
    said = capsys.readouterr().err
    assert (
        "deploy.input=int8: behind the layer halves the value 0 is that of the pixel 127.5" in said
    )
    assert main(["sweep", *one, f"model={network}:halves", "data.preprocessing=none"]) == 2
    assert "behind the layer halves" in capsys.readouterr().err
    assert main(["train", *one, f"model={network}:build"]) == 2
    said = capsys.readouterr().err
    assert "deploy.input=int8: data.preprocessing=vgg does not map raw pixels" in said
    assert not list(tmp_path.rglob("record.json"))


def test_a_preprocessing_without_pixels_is_a_row_that_does_not_apply(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    chosen = ["quant=deploy", "deploy.input=int8", "data.preprocessing=scale,inception"]
    assert main(["plan", *TINY, *chosen, f"out={tmp_path}"]) == 0
    assert (
        "not_applicable: deploy.input=int8: data.preprocessing=inception does not map raw pixels"
        in capsys.readouterr().out
    )
