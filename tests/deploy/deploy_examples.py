"""Small networks and configurations that are converted."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import layers

from qbench.config.quant import Quant
from qbench.deploy.export import export_model
from qbench.deploy.lite import convert
from qbench.quantize.ranges import RangeAverages
from qbench.quantize.rewrite import rewrite

SHAPE = (8, 8, 2)


def residual(image: Any) -> Any:
    """Convolutions with and without bias and normalization, an add, pooling and a dense head."""
    x = layers.Conv2D(4, 3, padding="same", use_bias=False, name="stem")(image)
    x = layers.ReLU(name="stem_relu")(layers.BatchNormalization(name="stem_bn")(x))
    x = layers.MaxPooling2D(2, name="pool")(x)
    y = layers.Conv2D(4, 3, padding="same", name="left")(x)
    y = layers.BatchNormalization(name="left_bn")(y)
    z = layers.Conv2D(4, 1, name="right")(x)
    x = layers.ReLU(name="sum_relu")(layers.Add(name="sum")([y, z]))
    x = layers.GlobalAveragePooling2D(name="mean")(x)
    return layers.Dense(5, name="logits")(x)


def depthwise(image: Any) -> Any:
    """A depthwise convolution and one of 1x1, each with normalization, and a dense head."""
    x = layers.DepthwiseConv2D(3, padding="same", use_bias=False, depth_multiplier=2)(image)
    x = layers.ReLU(6.0)(layers.BatchNormalization()(x))
    x = layers.Conv2D(4, 1, use_bias=False)(x)
    x = layers.ReLU(6.0)(layers.BatchNormalization()(x))
    return layers.Dense(5)(layers.GlobalAveragePooling2D()(x))


def network(build: Any = residual) -> Any:
    """A model whose weights and moving statistics are all different from their start."""
    keras.utils.set_random_seed(7)
    image = keras.Input(SHAPE, name="image")
    model = keras.Model(image, build(image))
    generator = np.random.default_rng(1)
    for weight in model.weights:
        noise = generator.normal(0, 0.1, weight.shape)
        weight.assign(np.asarray(weight) * (1 + noise) + np.abs(noise))
    return model


def images(count: int = 64) -> Any:
    """Network inputs."""
    return np.random.default_rng(3).normal(size=(count, *SHAPE)).astype(np.float32)


def measured(model: Any, inputs: Any = None) -> RangeAverages:
    """The ranges of the model's tensors on `images`, or on other inputs."""
    view = rewrite(model, None)
    averages = RangeAverages(view.tensors, 0.9)
    averages.include(view.model([images() if inputs is None else inputs])[1])
    return averages


def quant(**values: Any) -> Quant:
    """A configuration of `quant` with all placements, unless said otherwise."""
    return Quant(**{"placement": ("conv", "activation", "add"), **values})


# The configuration whose grids are those of the file.
DEPLOY = {
    "placement": ("deploy",),
    "op": "fake_quant",
    "weight_range": "symmetric_narrow",
    "granularity": "channel",
    "fold_batch_norm": True,
    "freeze_batch_norm": True,
}


def settled(model: Any) -> Any:
    """The model with weights and moving statistics that are all different from their start."""
    generator = np.random.default_rng(1)
    for weight in model.weights:
        noise = generator.normal(0, 0.1, weight.shape)
        weight.assign(np.asarray(weight) * (1 + noise) + 0.3 * np.abs(noise))
    return model


def inputs_of(model: Any, count: int = 64) -> Any:
    """Network inputs of a model's own shape."""
    shape = (count, *model.input_shape[1:])
    return np.abs(np.random.default_rng(3).normal(size=shape)).astype(np.float32)


def exported_file(model: Any, chosen: Quant) -> tuple[RangeAverages, bytes]:
    """The ranges of a model on `inputs_of` it, and its int8 file."""
    averages = measured(model, inputs_of(model))
    return averages, convert(export_model(model, averages, chosen)[0], "int8")
