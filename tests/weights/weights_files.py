"""Tiny networks and the files that Keras makes of them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import layers

from qbench.base import device
from qbench.models import build_model
from qbench.tasks.classification import Classification

device.start(2)

SHAPE = (8, 8, 1)
NAME = "tests_net"
SAID = "softmax"


def net(shape: Any, classes: int, width: int = 4, end: str | None = None) -> Any:
    """A convolution with normalization, a depthwise one, dropout, and a dense head."""
    image = keras.Input(shape)
    x = layers.Conv2D(width, 3, padding="same", use_bias=False, name="stem")(image)
    x = layers.ReLU()(layers.BatchNormalization(name="stem_bn")(x))
    x = layers.DepthwiseConv2D(3, name="depth")(x)
    x = layers.Dropout(0.1)(layers.GlobalAveragePooling2D()(x))
    x = layers.Dense(classes, activation=end, name="logits")(x)
    return keras.Model(image, x)


def stirred(model: Any, seed: int = 0) -> Any:
    """The model with random weights and statistics that no initializer gives."""
    random = np.random.default_rng(seed)
    for weight in model.weights:
        weight.assign(random.uniform(0.5, 1.5, weight.shape))
    return model


def ten(**arguments: Any) -> Any:
    """The network for 10 classes with such weights."""
    keras.utils.clear_session()
    return stirred(net(SHAPE, 10, **arguments))


def saved(folder: Path, name: str, model: Any = None) -> Path:
    """The file of a model; the ending of the name says of which kind."""
    path = folder / name
    chosen = ten() if model is None else model
    if name.endswith(".weights.h5"):
        chosen.save_weights(path)
    else:
        chosen.save(path)
    return path


def from_file(path: Path, classes: int = 10, **settings: Any) -> Any:
    """The network that qbench builds of a file."""
    arguments = {"file": str(path)}
    return build_model("keras_file", arguments, SHAPE, Classification(classes), **settings)


def by_layer(model: Any) -> Mapping[str, list[Any]]:
    """The weights of every layer that has some."""
    return {layer.name: layer.get_weights() for layer in model.layers if layer.weights}


def equal(one: list[Any], other: list[Any]) -> bool:
    """Whether two lists of arrays are equal bit by bit."""
    return len(one) == len(other) and all(map(np.array_equal, one, other))
