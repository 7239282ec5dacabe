"""A script: trains, evaluates and converts with less memory than the images on disk take.

The first pass, on few images, shows how much memory the process needs. In the second pass it may
have 200 MB more, and the images of each part are 256 MB. It prints `bounded` at the end.
"""

from __future__ import annotations

import resource
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
from engine_examples import CONFIG

from qbench.base import device
from qbench.config.experiment import Experiment
from qbench.data import DATASETS, Source, load, split
from qbench.deploy.convert import export
from qbench.models import MODELS
from qbench.training.inference import run_test_set, run_validation
from qbench.training.loop import train
from qbench.training.network import Network

SHAPE = (64, 64, 4)
COUNTS = {"small": 200, "large": 16_384}
ALLOWED = 200 << 20
QUANT = {
    "op": "fake_quant",
    "placement": ["deploy"],
    "weight_range": "symmetric_narrow",
    "granularity": "channel",
    "delay": 0.5,
}


def source(count: int) -> Source:
    """Black images in a file without blocks, as training and test images."""

    def read(folder: Path | None) -> Any:
        name = f"images{count}"
        with open(name, "wb") as file:
            file.truncate(count * 64 * 64 * 4)
        images = np.memmap(name, np.uint8, "r", shape=(count, *SHAPE))
        labels = np.arange(count) % 3
        return images, labels, images, labels

    return Source(SHAPE, 3, flip=False, read=read, known={})


def build(shape: Any, classes: int) -> Any:
    """A network that looks at few pixels."""
    image = keras.Input(shape)
    x = keras.layers.MaxPooling2D(16)(image)
    x = keras.layers.ReLU()(keras.layers.Conv2D(4, 3)(x))
    return keras.Model(image, keras.layers.Dense(classes)(keras.layers.GlobalAveragePooling2D()(x)))


def whole(name: str) -> Any:
    """Everything that reads images: hash, validation part, steps, evaluation, two conversions."""
    settings = {"name": name, "validation": 0.5, "augment": True}
    changed = {"data": settings, "model": {"name": "pooled"}, "quant": QUANT, "eval": {}}
    chosen = Experiment.from_config({**CONFIG, **changed})
    data = split(load(name, None), chosen.data)
    network = Network(chosen, data)
    network.initialise(0)
    train(network, chosen, data, lambda new, loss: None)
    held_out = run_validation(network, chosen, data)
    assert held_out is not None and len(held_out[0]) == COUNTS[name] // 2
    assert len(run_test_set(network, chosen, data)[0]) == COUNTS[name]
    export(network, chosen, data)
    plain = replace(chosen, quant=replace(chosen.quant, enabled=False))
    export(network, plain, data, "representative")
    return data


def main() -> None:
    """Both passes; then all images at once, which cannot be."""
    for name, count in COUNTS.items():
        DATASETS.add(name, source(count))
    MODELS.add("pooled", build)
    device.start(2)
    whole("small")
    used = int(Path("/proc/self/statm").read_text().split()[5]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_DATA, (used + ALLOWED, resource.RLIM_INFINITY))
    data = whole("large")
    try:
        np.array(data.test_images)
    except MemoryError:
        print("bounded")


if __name__ == "__main__":
    main()
