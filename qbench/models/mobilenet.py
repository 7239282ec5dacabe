"""MobileNet v1 (Howard et al. 2017, arXiv:1704.04861), the network of Jacob et al. 2018, 4.2."""

from __future__ import annotations

import math
from typing import Any

import keras
from keras import layers

from qbench.base import checks
from qbench.models.activations import activate
from qbench.models.registry import MODELS

# (channels, stride) of each depthwise separable convolution: table 1 of Howard et al.
BLOCKS = (
    *((64, 1), (128, 2), (128, 1), (256, 2), (256, 1)),
    *((512, 2), (512, 1), (512, 1), (512, 1), (512, 1), (512, 1)),
    *((1024, 2), (1024, 1)),
)
HALVINGS = 1 + sum(stride == 2 for _, stride in BLOCKS)  # the first convolution has stride 2 too
FEWEST = 8  # smallest number of channels, for any depth multiplier


@MODELS.register("mobilenet_v1")
def mobilenet_v1(
    shape: tuple[int, int, int],
    classes: int,
    depth_multiplier: float = 1.0,
    halvings: int = HALVINGS,
    batch_norm_momentum: float = 0.99,
    activation: str = "relu",
) -> Any:
    """A convolution, then 13 depthwise separable convolutions (3x3, 1x1), batch-normalized.

    With depth multiplier 1 and 1,000 classes it has 4,253,864 parameters, moving statistics
    included. There is no dropout before the logits.

    Args:
        shape: (height, width, channels) of an image; `data.resolution` takes the place of Howard et
            al.'s resolution multiplier.
        classes: number of logits.
        depth_multiplier: factor on the channels of every layer, with a minimum of 8 channels
            (Howard et al. call it width multiplier).
        halvings: how often the sides are halved. 5 is the published network, for 224 pixels. With
            fewer halvings the last strides of 2 stay, so that 3 halvings turn an image of 32x32
            into 4x4.
        batch_norm_momentum: share of the old moving statistics kept in a step.
        activation: `relu` or `relu6`.
    """
    checks.number("model.depth_multiplier", depth_multiplier, 0.01, 4)
    checks.whole("model.halvings", halvings, 0, HALVINGS)
    parts = _Parts(depth_multiplier, batch_norm_momentum, activation)
    first, *strides = _strides(halvings)
    image = keras.Input(shape, name="image")
    x = parts.convolution(image, "stem", 32, 3, first)
    for number, ((channels, _), stride) in enumerate(zip(BLOCKS, strides, strict=True), 1):
        x = parts.depthwise(x, f"block{number}_depthwise", stride)
        x = parts.convolution(x, f"block{number}_pointwise", channels, 1)
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    x = layers.Dense(classes, kernel_initializer="he_normal", name="logits")(x)
    return keras.Model(image, x, name="mobilenet_v1")


def _strides(halvings: int) -> list[int]:
    """The strides of the first convolution and of each block; the first strides of 2 become 1."""
    too_many = HALVINGS - halvings
    strides = []
    for stride in (2, *(stride for _, stride in BLOCKS)):
        left_out = stride == 2 and too_many > 0
        too_many -= left_out
        strides.append(1 if left_out else stride)
    return strides


class _Parts:
    """The layers of one MobileNet."""

    def __init__(self, multiplier: float, momentum: float, activation: str) -> None:
        self._multiplier = multiplier
        self._momentum = momentum
        self._activation = activation

    def convolution(self, x: Any, name: str, channels: int, size: int, stride: int = 1) -> Any:
        """Convolution, batch normalization and activation."""
        x = layers.Conv2D(
            max(FEWEST, int(channels * self._multiplier)),
            size,
            strides=stride,
            padding="same",
            use_bias=False,
            kernel_initializer="he_normal",
            name=name,
        )(x)
        return self._activated(x, name)

    def depthwise(self, x: Any, name: str, stride: int) -> Any:
        """Depthwise 3x3 convolution, batch normalization and activation."""
        x = layers.DepthwiseConv2D(
            3,
            strides=stride,
            padding="same",
            use_bias=False,
            # He et al. with a fan-in of 9, because an output reads 9 values; the fan-in of Keras'
            # initializer is larger.
            depthwise_initializer=keras.initializers.RandomNormal(stddev=math.sqrt(2 / 9)),
            name=name,
        )(x)
        return self._activated(x, name)

    def _activated(self, x: Any, name: str) -> Any:
        x = layers.BatchNormalization(momentum=self._momentum, name=f"{name}_bn")(x)
        return activate(x, self._activation, f"{name}_relu")
