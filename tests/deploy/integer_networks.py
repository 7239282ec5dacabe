"""Networks whose int8 files have, together, every operator of the integer reference."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf
from deploy_examples import DEPLOY, images, measured, network, quant
from keras import layers, ops

from qbench.deploy.export import export_model
from qbench.deploy.lite import convert


def mobile(image: Any) -> Any:
    """Depthwise convolutions, clamps at 6, paddings, pools and joins."""
    x = layers.ZeroPadding2D(((2, 1), (0, 1)))(image)  # no SAME padding, so that it stays
    x = layers.Conv2D(6, 3, strides=2, padding="valid", name="stem")(x)
    x = layers.ReLU(6.0)(layers.BatchNormalization()(x))
    y = layers.DepthwiseConv2D(3, padding="same", depth_multiplier=2)(x)
    y = layers.ReLU(6.0)(layers.BatchNormalization()(y))
    y = layers.Conv2D(6, 1, use_bias=False)(y)
    x = layers.Concatenate()([layers.Add()([x, y]), layers.MaxPooling2D(3, 1, padding="same")(y)])
    z = layers.AveragePooling2D(2)(x)
    z = layers.Dense(4, activation="relu")(layers.Flatten()(z))
    return layers.Dense(5)(layers.Concatenate()([z, layers.GlobalAveragePooling2D()(x)]))


def flat(image: Any) -> Any:
    """A residual network that ends in a join, an average pool and all of its pixels."""
    x = layers.ReLU(name="relu")(layers.Conv2D(4, 3, padding="same", name="conv")(image))
    y = layers.Conv2D(4, 3, padding="same", name="other")(x)
    z = layers.ReLU(name="sum_relu")(layers.Add(name="sum")([x, y]))
    x = layers.Concatenate(name="both")([x, z])  # of two grids
    return layers.Dense(5)(layers.Flatten()(layers.AveragePooling2D(2)(x)))


def various(image: Any) -> Any:
    """Gates of all sorts, extremes, moves and both kinds of resizing."""
    x = layers.Activation("hard_silu")(layers.Conv2D(4, 3, padding="same")(image))
    y = layers.Activation("tanh")(layers.Conv2D(4, 3, padding="same")(x))
    gate = layers.Dense(4)(layers.GlobalAveragePooling2D()(x))
    gate = layers.Reshape((1, 1, 4))(layers.Activation("sigmoid")(gate))
    x = layers.LeakyReLU(0.2)(x * gate - y)
    x = ops.minimum(ops.maximum(x, y), layers.Permute((2, 1, 3))(x))
    x = layers.Conv2DTranspose(4, 3, strides=2, padding="same")(x)
    x = layers.UpSampling2D(2, interpolation="bilinear")(layers.Cropping2D(2)(x))
    x = layers.UpSampling2D(2)(layers.Conv2D(4, 3, strides=2)(x))
    return layers.Dense(5)(layers.GlobalMaxPooling2D()(x))


def various_file() -> bytes:
    """A network with every operator that the two others lack."""
    model = network(various)
    exported, _ = export_model(model, measured(model), quant(**DEPLOY))
    return convert(exported, "int8")


def trained_file() -> bytes:
    """A network as `qbench convert` writes it."""
    model = network(flat)
    exported, _ = export_model(model, measured(model), quant())
    return convert(exported, "int8")


def calibrated_file() -> bytes:
    """A network with depthwise convolutions, on the grids that the converter found by itself."""
    converter = tf.lite.TFLiteConverter.from_keras_model(network(mobile))
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.inference_input_type = converter.inference_output_type = tf.int8
    converter.representative_dataset = lambda: ([image[np.newaxis]] for image in images(50))
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    content: bytes = converter.convert()
    return content
