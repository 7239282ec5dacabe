"""ResNet v1 as TensorFlow-Slim builds it. Kwasniewska et al. 2019 used the one with 50 layers."""

from __future__ import annotations

from typing import Any

import keras
from keras import layers

from qbench.base import checks
from qbench.models.activations import activate
from qbench.models.registry import MODELS

# Units of the four blocks, by depth (He et al. 2016, table 1).
UNITS = {50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3)}
# Channels of the 3x3 convolutions in each block; the output of a unit has 4 times as many.
CHANNELS = (64, 128, 256, 512)

Shape = tuple[int, int, int]


@MODELS.register("resnet50_v1")
def resnet50_v1(
    shape: Shape, classes: int, batch_norm_momentum: float = 0.997, activation: str = "relu"
) -> Any:
    """`resnet_slim` with 50 layers.

    With 10 classes it has 54 convolutions, 49 ReLUs, 16 residual adds and 23,528,522 trainable
    parameters.
    """
    return resnet_slim(shape, classes, 50, batch_norm_momentum, activation)


@MODELS.register("resnet_slim")
def resnet_slim(
    shape: Shape,
    classes: int,
    depth: int = 50,
    batch_norm_momentum: float = 0.997,
    activation: str = "relu",
) -> Any:
    """ResNet v1 of bottleneck units (He et al. 2016), with slim's strides and padding.

    It differs from torchvision's network. In the first three blocks the last unit has the stride,
    in its 3x3 convolution, and its shortcut is a 1x1 max pool with this stride. In every block the
    first unit has a projection shortcut, with stride 1.

    Args:
        shape: (height, width, channels) of an image.
        classes: number of logits.
        depth: 50, 101 or 152 layers with weights on the main path.
        batch_norm_momentum: share of the old moving statistics kept in a step.
        activation: `relu` or `relu6`.
    """
    if depth not in UNITS:
        raise checks.wrong("model.depth", depth, "50, 101 or 152")
    parts = _Slim(batch_norm_momentum, activation)
    image = keras.Input(shape, name="image")
    x = parts.activated(image, "conv1", 64, 7, 2)
    x = layers.MaxPooling2D(3, strides=2, padding="same", name="pool1")(x)
    for number, (channels, units) in enumerate(zip(CHANNELS, UNITS[depth], strict=True), 1):
        for unit in range(1, units + 1):
            stride = 2 if unit == units and number < len(CHANNELS) else 1
            x = parts.bottleneck(x, f"block{number}_unit{unit}", channels, stride)
    x = layers.GlobalAveragePooling2D(keepdims=True, name="pool5")(x)
    x = layers.Conv2D(classes, 1, kernel_initializer="he_normal", name="logits")(x)
    return keras.Model(image, layers.Flatten(name="flat")(x), name=f"resnet{depth}_v1")


class _Slim:
    """Layers with slim's settings."""

    def __init__(self, momentum: float, activation: str) -> None:
        self._momentum = momentum
        self._activation = activation

    def normalised(self, x: Any, name: str, channels: int, size: int, stride: int = 1) -> Any:
        """Convolution and batch normalization; with a stride, all sides are padded equally."""
        if stride > 1:
            x = layers.ZeroPadding2D(size // 2, name=f"{name}_pad")(x)
        x = layers.Conv2D(
            channels,
            size,
            strides=stride,
            padding="valid" if stride > 1 else "same",
            use_bias=False,
            kernel_initializer="he_normal",
            name=name,
        )(x)
        return layers.BatchNormalization(momentum=self._momentum, epsilon=1e-5, name=f"{name}_bn")(
            x
        )

    def activated(self, x: Any, name: str, channels: int, size: int, stride: int = 1) -> Any:
        """Convolution, batch normalization and activation."""
        x = self.normalised(x, name, channels, size, stride)
        return activate(x, self._activation, f"{name}_relu")

    def bottleneck(self, x: Any, name: str, channels: int, stride: int) -> Any:
        """1x1, 3x3 and 1x1 convolution beside a shortcut."""
        shortcut = x
        if x.shape[-1] != 4 * channels:
            shortcut = self.normalised(x, f"{name}_shortcut", 4 * channels, 1)
        elif stride > 1:
            shortcut = layers.MaxPooling2D(1, strides=stride, name=f"{name}_shortcut")(x)
        y = self.activated(x, f"{name}_conv1", channels, 1)
        y = self.activated(y, f"{name}_conv2", channels, 3, stride)
        y = self.normalised(y, f"{name}_conv3", 4 * channels, 1)
        x = layers.Add(name=f"{name}_add")([shortcut, y])
        return activate(x, self._activation, f"{name}_relu")
