"""Small models with models inside, as people write them."""

from __future__ import annotations

from typing import Any

import keras
from keras import layers


def base(name: str, channels: int = 3, width: int = 3) -> Any:
    """A functional model as a base: a convolution, a normalization and a ReLU."""
    image = keras.Input((8, 8, channels))
    x = layers.Conv2D(width, 3, padding="same", use_bias=False, name="conv")(image)
    return keras.Model(image, layers.ReLU()(layers.BatchNormalization(name="bn")(x)), name=name)


def several(shape: Any, classes: int) -> Any:
    """Three levels, a model that is called twice, two bases of one kind, and operations."""
    image = keras.Input(shape)
    x = layers.Conv2D(3, 1, name="conv")(image)
    block = keras.Sequential([base("deep"), layers.Conv2D(3, 1, name="conv")], name="block")
    x = block(block(x)) * 2.0
    x = layers.concatenate([base("a")(x, training=False), base("b")(inputs=x)])
    x = keras.Sequential([layers.GlobalAveragePooling2D(), layers.Dense(classes)], name="head")(x)
    return keras.Model(image, x)


NAMES = (
    *("conv", "block.deep.conv", "block.deep.bn", "block.conv"),
    *("a.conv", "a.bn", "b.conv", "b.bn", "head.dense"),
)
"""The names of the layers with weights in `several`, once it is flat."""


def in_sequence(shape: Any, classes: int) -> Any:
    """A sequential model without an Input, with a base and a block inside."""
    block = [layers.Conv2D(2, 3), layers.BatchNormalization()]
    parts = [base("base", shape[-1]), keras.Sequential(block), layers.Flatten()]
    return keras.Sequential([*parts, layers.Dense(classes)])


class Holder(keras.Model):
    """Functional; it also keeps a layer as an attribute, so Keras stores this layer elsewhere."""

    def __init__(self, name: str) -> None:
        image = keras.Input((8, 8, 1))
        conv = layers.Conv2D(2, 3, name="conv")
        super().__init__(image, layers.ReLU()(conv(image)), name=name)
        self.kept = conv


def of_a_subclass(shape: Any, classes: int) -> Any:
    """A subclass of a functional model inside a compiled model."""
    image = keras.Input(shape)
    x = layers.Flatten()(Holder("held")(image))
    model = keras.Model(image, layers.Dense(classes, name="conv")(x))
    model.compile("sgd", "mse")
    return model


def with_unused(shape: Any, classes: int) -> Any:
    """Of the two outputs of a base, and of its layers, only some are used."""
    image, inner = keras.Input(shape), keras.Input((8, 8, 1), name="x")
    outputs = {key: layers.Conv2D(2, 3, name=key)(inner) for key in ("used", "unused")}
    two = keras.Model({"x": inner}, outputs, name="two")
    x = layers.Flatten()(two({"x": image})["used"])
    return keras.Model(image, layers.Dense(classes, name="head")(x))


NETWORKS = (several, in_sequence, of_a_subclass, with_unused)
