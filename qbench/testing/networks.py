"""A small network, random images and an experiment, for the checks of models and schemes."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qbench.base import device
from qbench.base.errors import QbenchError
from qbench.config.experiment import Experiment
from qbench.data.dataset import Dataset
from qbench.tasks.task import Task

SHAPE = (8, 8, 1)
COUNT = 32
_THREADS: Any = next(one.default for one in fields(Experiment) if one.name == "threads")


def start() -> None:
    """Start TensorFlow as a run with the default settings does, unless it already runs."""
    device.import_tensorflow()
    with suppress(QbenchError):
        device.start(_THREADS)


def images(shape: tuple[int, int, int]) -> NDArray[np.uint8]:
    """Random images, (COUNT, *shape)."""
    return np.random.default_rng(0).integers(0, 256, (COUNT, *shape), np.uint8)


def dataset(pixels: NDArray[np.uint8], targets: NDArray[Any], task: Task) -> Dataset:
    """The same images and targets as training, test and validation data."""
    part = pixels, targets
    return Dataset(
        "checked", *part, *part, task=task, flip=False, hash="", provenance="", validation=part
    )


def experiment(
    model: str,
    arguments: Mapping[str, Any],
    steps: int,
    start: int,
    scheme: Mapping[str, Any],
    quant: Mapping[str, Any],
    learning_rate: float = 0.05,
) -> Experiment:
    """An experiment with momentum and weight decay; its data are given to the network directly.

    Args:
        model: the name of the model.
        arguments: its arguments.
        steps: the number of steps.
        start: the first quantized step.
        scheme: the name and the arguments of the scheme.
        quant: other settings of `quant`.
        learning_rate: the learning rate of the first step.
    """
    return Experiment.from_config(
        {
            "data": {"name": "digits", "augment": False},
            "model": {"name": model, **arguments},
            "quant": {"scheme": dict(scheme), **quant, "delay": start / steps},
            "train": {
                "steps": steps,
                "batch_size": 8,
                "learning_rate": learning_rate,
                "optimizer": {"name": "sgd", "momentum": 0.9},
                "schedule": {"name": "cosine"},
                "weight_decay": 0.01,
                "log_every": 1,
            },
            "eval": {"batch_size": COUNT},
        }
    )


def small(shape: tuple[int, int, int], outputs: int) -> Any:
    """A convolution with batch normalization, and a dense layer."""
    import keras
    from keras import layers

    image = keras.Input(shape)
    x = layers.Conv2D(4, 3, padding="same", use_bias=False, name="conv")(image)
    x = layers.ReLU(name="relu")(layers.BatchNormalization(name="norm", momentum=0.9)(x))
    x = layers.GlobalAveragePooling2D(name="mean")(x)
    return keras.Model(image, layers.Dense(outputs, name="head")(x))
