"""Small convolutional networks without normalization: LeNet and a ConvNet of four convolutions."""

from __future__ import annotations

from typing import Any

import keras
from keras import layers

from qbench.base import checks
from qbench.models.activations import activate
from qbench.models.registry import MODELS

Shape = tuple[int, int, int]


def _convolution(x: Any, name: str, filters: int, size: int, padding: str, activation: str) -> Any:
    x = layers.Conv2D(filters, size, padding=padding, kernel_initializer="he_normal", name=name)(x)
    return activate(x, activation, f"{name}_relu")


def _dense(x: Any, name: str, units: int, activation: str) -> Any:
    x = layers.Dense(units, kernel_initializer="he_normal", name=name)(x)
    return activate(x, activation, f"{name}_relu")


def _check_sides(model: str, shape: Shape, least: int) -> None:
    if min(shape[:2]) < least:
        given = f"{shape[0]}x{shape[1]}"
        raise checks.wrong("model", f"{model} for images of {given}", f"{least} pixels a side")


@MODELS.register("lenet")
def lenet(shape: Shape, classes: int, dense: int = 500, activation: str = "relu") -> Any:
    """LeNet with the layer sizes of Caffe's example: 431,080 parameters on 28x28x1, 10 classes.

    Convolutions of 20 and 50 filters of 5x5 without padding, each followed by the activation and
    maxima of 2x2, then dense layers of 500 units and of the classes. Caffe's example has no
    activation after convolutions.

    Args:
        shape: (height, width, channels) of an image, 16 pixels a side or more.
        classes: number of logits.
        dense: units of the first dense layer.
        activation: `relu` or `relu6`.

    Raises:
        QbenchError: smaller images.
    """
    _check_sides("lenet", shape, 16)
    checks.whole("model.dense", dense, 1)
    image = keras.Input(shape, name="image")
    x = _convolution(image, "conv1", 20, 5, "valid", activation)
    x = layers.MaxPooling2D(name="pool1")(x)
    x = _convolution(x, "conv2", 50, 5, "valid", activation)
    x = layers.MaxPooling2D(name="pool2")(x)
    x = _dense(layers.Flatten(name="flatten")(x), "dense1", dense, activation)
    x = layers.Dense(classes, kernel_initializer="he_normal", name="logits")(x)
    return keras.Model(image, x, name="lenet")


@MODELS.register("convnet")
def convnet(
    shape: Shape, classes: int, dense: int = 512, dropout: float = 0.25, activation: str = "relu"
) -> Any:
    """Four convolutions of 3x3: 32, 32, 64 and 64 filters; 1,250,858 parameters on 32x32x3.

    The layers of Keras' example for CIFAR-10 of 2018: the second and fourth convolution have no
    padding; after them come maxima of 2x2 and dropout. A dense layer and the logits follow.

    Args:
        shape: (height, width, channels) of an image, 12 pixels a side or more.
        classes: number of logits.
        dense: units of the first dense layer.
        dropout: share of values that are dropped after maxima; twice as many after the dense layer.
        activation: `relu` or `relu6`.

    Raises:
        QbenchError: smaller images, or another dropout.
    """
    _check_sides("convnet", shape, 12)
    checks.whole("model.dense", dense, 1)
    checks.number("model.dropout", dropout, 0, 0.5, open_end=True)
    image = x = keras.Input(shape, name="image")
    for block, filters in ((1, 32), (2, 64)):
        x = _convolution(x, f"conv{2 * block - 1}", filters, 3, "same", activation)
        x = _convolution(x, f"conv{2 * block}", filters, 3, "valid", activation)
        x = layers.MaxPooling2D(name=f"pool{block}")(x)
        x = _dropped(x, f"dropout{block}", dropout)
    x = _dense(layers.Flatten(name="flatten")(x), "dense1", dense, activation)
    x = _dropped(x, "dropout3", 2 * dropout)
    x = layers.Dense(classes, kernel_initializer="he_normal", name="logits")(x)
    return keras.Model(image, x, name="convnet")


def _dropped(x: Any, name: str, share: float) -> Any:
    return layers.Dropout(share, name=name)(x) if share else x
