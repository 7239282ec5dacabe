"""Trains, converts and measures networks for docs/networks.md: see networks_page.py."""

from __future__ import annotations

import importlib
import io
import time
from collections.abc import Sequence
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import numpy as np

from qbench.base.errors import QbenchError
from qbench.base.paths import config_folder
from qbench.cli.main import main as qbench

EXAMPLES = "scripts/example_networks.py"
SETTINGS = ("study=fashion", "quant=deploy", "train.weight_decay=0", "seeds=0", "threads=2")
STEPS, BATCH, RATE, IMAGES = 4, 8, 0.01, 20
MEASURED = 64  # images that ranges and statistics of normalizations come from


def _application(name: str, *more: str) -> list[str]:
    return ["model=keras_application", f"model.application={name}", *more]


def _built(name: str, *more: str, side: int = 32) -> list[str]:
    """The settings of an application on images of a side."""
    return [*SETTINGS, *_application(name, *more), f"data.resolution={side}"]


BUILT: dict[str, list[str]] = {
    "MobileNetV2": _built("MobileNetV2"),
    "MobileNetV3Small": _built("MobileNetV3Small"),
    "MobileNetV3Small-minimalistic": _built("MobileNetV3Small", "model.minimalistic=true"),
    "MobileNetV3Large": _built("MobileNetV3Large"),
    "MobileNetV3Large-minimalistic": _built("MobileNetV3Large", "model.minimalistic=true"),
    "EfficientNetB0": _built("EfficientNetB0"),
    # Its preprocessing takes three channels, as that of ConvNeXtTiny does.
    "EfficientNetV2B0": _built("EfficientNetV2B0", "model.include_preprocessing=false"),
    "ResNet50V2": _built("ResNet50V2"),
    "DenseNet121": _built("DenseNet121"),
    "NASNetMobile": _built("NASNetMobile"),
    "Xception": _built("Xception", side=71),
    "ConvNeXtTiny": _built("ConvNeXtTiny", "model.include_preprocessing=false"),
    "InceptionV3": _built("InceptionV3", side=75),
}
"""The settings of networks that are hardly trained, by name."""

DIGITS = ("study=digits", "quant=deploy", "seeds=0", "threads=2")
SMALL = (*DIGITS, "train.steps=200")
# The parts of a concatenation share a grid, as they do in the file.
UNET = (*SMALL, f"model={EXAMPLES}:unet", "quant.tie_inputs=true")
# These networks rescale pixels themselves, and halve the sides of images five times.
LARGE = (*DIGITS, "data.preprocessing=none", "data.resolution=32", "train=adam")
# Keras' normalizations average over more steps than there are.
SHORT = "model.batch_norm_momentum=0.9"

TRAINED: dict[str, list[str]] = {
    "U-Net, transposed": [*UNET, "model.up=transposed"],
    "U-Net, nearest": [*UNET, "model.up=nearest"],
    "U-Net, bilinear": [*UNET, "model.up=bilinear"],
    "squeeze and excitation": [*SMALL, f"model={EXAMPLES}:squeeze"],
    "MobileNetV3Small": [*LARGE, *_application("MobileNetV3Small", SHORT), "train.steps=300"],
    "EfficientNetB0": [*LARGE, *_application("EfficientNetB0", SHORT), "train.steps=200"],
    "EfficientNetB0, hard SiLU": [
        *(*LARGE, f"model={EXAMPLES}:efficientnet_hard", "train.steps=200"),
    ],
}
"""The settings of networks that are trained on the shipped digits, by name."""


def called(words: Sequence[str]) -> tuple[int, str, float]:
    """Run a command of qbench in this process.

    Returns:
        The exit code, what it said to standard error, and its CPU seconds.
    """
    said, begin = io.StringIO(), time.process_time()
    with redirect_stdout(io.StringIO()), redirect_stderr(said):
        code = qbench(list(words))
    return code, said.getvalue(), time.process_time() - begin


def refusal(said: str) -> str:
    """The last sentence of qbench in what a command said."""
    lines = [line for line in said.splitlines() if line.startswith("qbench: ")]
    return lines[-1].removeprefix("qbench: ") if lines else "no reason was given"


def experiment(words: Sequence[str]) -> Any:
    """The experiment that a command with these overrides does."""
    from hydra import compose, initialize_config_dir

    from qbench.cli.arguments import understood
    from qbench.cli.hydra_app import settings_of

    with initialize_config_dir(str(config_folder()), version_base="1.3"):
        return settings_of(compose("config", overrides=understood(list(words), several=False))).base


def load_modules(*names: str) -> None:
    """Import TensorFlow, Keras and modules, so that no time counts their import."""
    for name in ("tensorflow", "keras", *names):
        importlib.import_module(name)


def measure_built(words: Sequence[str]) -> dict[str, Any]:
    """The figures of a network: its graph is listed, and it is hardly trained and converted."""
    load_modules("qbench.cli.listing", "qbench.models")
    code, said, seconds = called(["graph", *words])
    if code:
        return {"refused": refusal(said)}
    try:
        return {"seconds": seconds, **converted(words)}
    except QbenchError as error:
        return {"seconds": seconds, "refused": str(error)}


def converted(words: Sequence[str]) -> dict[str, Any]:
    """Train a network for a few steps, measure it on images and convert it.

    After so few steps the statistics of normalizations have hardly moved from their start, and a
    deep network gives the same for every image. So they are measured too, not only the ranges.

    Raises:
        QbenchError: the network cannot be trained or converted.
    """
    from qbench.base import device
    from qbench.data import load
    from qbench.deploy.convert import export, simulate
    from qbench.training.loop import train
    from qbench.training.network import Network

    steps = [f"train.steps={STEPS}", f"train.batch_size={BATCH}", f"train.learning_rate={RATE}"]
    chosen = experiment([*words, *steps, f"eval.limit={IMAGES}"])
    device.start(chosen.threads)
    data = load(chosen.data.name, chosen.data.dir)
    network = Network(chosen, data)
    network.initialise(chosen.seed)
    train(network, chosen, data, lambda *_: None)
    images = np.asarray(data.train_images[:MEASURED])
    measure_statistics(network, images)
    network.measure_ranges(images)
    made = export(network, chosen, data)
    outputs = simulate(network, chosen, data.test_images[:IMAGES])
    alike = not np.ptp(outputs, axis=0).any()
    return {**operators(made.content), "alike": alike, "report": made.report}


def measure_statistics(network: Any, images: Any) -> None:
    """Give every normalization of a network the statistics of images, (N, H, W, C) uint8."""
    import keras

    layers = network.model.layers
    norms = [layer for layer in layers if isinstance(layer, keras.layers.BatchNormalization)]
    kept = [layer.momentum for layer in norms]
    for layer in norms:
        layer.momentum = 0.0
    network.model(network.prepare(images), training=True)
    for layer, momentum in zip(norms, kept, strict=True):
        layer.momentum = momentum


def measure_trained(words: Sequence[str], root: Path) -> dict[str, Any]:
    """The figures of a network that is trained; its run is kept in the folder `root`."""
    from qbench.engine.converting import convert_folder
    from qbench.engine.single import run_single
    from qbench.storage import layout

    load_modules("qbench.training.network", "qbench.deploy.convert")
    begin = time.process_time()
    chosen = experiment(words)
    record = run_single(chosen, root, lambda *_: None)
    folder = layout.run_folder(root, record["run"])
    report = convert_folder(folder, {}, None).report
    return {
        **operators((folder / report["file"]).read_bytes()),
        "seconds": time.process_time() - begin,
        "steps": record["steps"],
        "metrics": record["metrics"],
        "report": report,
    }


def operators(content: bytes) -> dict[str, int]:
    """The numbers of operators of a file that read or make floats, and of the others."""
    from qbench.deploy.measure import graph_of

    every = graph_of(content).operators
    floats = [op for op in every if any(one.dtype == "float32" for one in (*op.reads, *op.makes))]
    return {"integer": len(every) - len(floats), "float": len(floats)}
