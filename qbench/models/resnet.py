"""Residual networks for small images (He et al. 2016, arXiv:1512.03385)."""

from __future__ import annotations

from typing import Any

import keras
from keras import layers

from qbench.base import checks
from qbench.models.activations import activate
from qbench.models.registry import MODELS

Shape = tuple[int, int, int]


class _Parts:
    """The layers of one residual network, with names that say where they are."""

    def __init__(self, bias: bool, momentum: float, activation: str) -> None:
        self._bias = bias
        self._momentum = momentum
        self._activation = activation

    def convolution(self, x: Any, name: str, width: int, size: int, stride: int = 1) -> Any:
        return layers.Conv2D(
            width,
            size,
            strides=stride,
            padding="same",
            use_bias=self._bias,
            kernel_initializer="he_normal",
            name=name,
        )(x)

    def normalised(self, x: Any, name: str, *conv: int) -> Any:
        """Convolution and batch normalization; `conv` is (width, size, stride)."""
        x = self.convolution(x, name, *conv)
        return layers.BatchNormalization(momentum=self._momentum, name=f"{name}_bn")(x)

    def activated(self, x: Any, name: str, *conv: int) -> Any:
        """Convolution, batch normalization and activation."""
        return activate(self.normalised(x, name, *conv), self._activation, f"{name}_relu")

    def join(self, branch: Any, shortcut: Any, name: str) -> Any:
        """Residual addition and activation."""
        x = layers.Add(name=f"{name}_add")([branch, shortcut])
        return activate(x, self._activation, f"{name}_relu")


def _head(x: Any, classes: int) -> Any:
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    return layers.Dense(classes, kernel_initializer="he_normal", name="logits")(x)


@MODELS.register("resnet_v1")
def resnet_v1(
    shape: Shape,
    classes: int,
    blocks: int = 1,
    width: int = 16,
    batch_norm_momentum: float = 0.99,
    activation: str = "relu",
    stem_stride: int = 1,
) -> Any:
    """The residual network for CIFAR of He et al., section 4.2: depth 6 x blocks + 2.

    Three stages of `blocks` basic blocks with width, 2 width and 4 width channels; the first block
    of the second and third stage halves the sides. Shortcuts that change shape are 1x1
    convolutions with batch normalization (the paper's option B).

    Args:
        shape: (height, width, channels) of an image.
        classes: number of logits.
        blocks: basic blocks in each stage.
        width: channels of the first stage.
        batch_norm_momentum: share of the old moving statistics kept in a step.
        activation: `relu` or `relu6`.
        stem_stride: stride of the first convolution, 1 as in the paper or 2, which halves the sides
            of every tensor.

    Raises:
        QbenchError: `stem_stride` is not 1 or 2.
    """
    if stem_stride not in (1, 2):
        raise checks.wrong("model.stem_stride", stem_stride, "1 or 2")
    parts = _Parts(False, batch_norm_momentum, activation)
    image = keras.Input(shape, name="image")
    x = parts.activated(image, "stem", width, 3, stem_stride)
    for stage in range(3):
        channels = width * 2**stage
        for block in range(blocks):
            name = f"stage{stage + 1}_block{block + 1}"
            stride = 2 if stage > 0 and block == 0 else 1
            y = parts.activated(x, f"{name}_conv1", channels, 3, stride)
            y = parts.normalised(y, f"{name}_conv2", channels, 3, 1)
            if stride > 1:
                x = parts.normalised(x, f"{name}_shortcut", channels, 1, stride)
            x = parts.join(y, x, name)
    return keras.Model(image, _head(x, classes), name="resnet_v1")


@MODELS.register("resnet_cifar")
def resnet_cifar(
    shape: Shape,
    classes: int,
    depth: int = 20,
    width: int = 16,
    batch_norm_momentum: float = 0.99,
    activation: str = "relu",
) -> Any:
    """`resnet_v1`, named by its depth: 8, 14, 20 and so on, in steps of 6.

    Args:
        shape: (height, width, channels) of an image.
        classes: number of logits.
        depth: layers with weights on the main path.
        width: channels of the first stage.
        batch_norm_momentum: share of the old moving statistics kept in a step.
        activation: `relu` or `relu6`.
    """
    checks.whole("model.depth", depth, 8)
    if depth % 6 != 2:
        raise checks.wrong("model.depth", depth, "8, 14, 20 and so on, in steps of 6")
    return resnet_v1(shape, classes, depth // 6, width, batch_norm_momentum, activation)


@MODELS.register("resnet8")
def resnet8(
    shape: Shape, classes: int, batch_norm_momentum: float = 0.99, activation: str = "relu"
) -> Any:
    """The image-classification network of MLPerf Tiny: 78,666 parameters on 32x32x3, 10 classes.

    It is `resnet_v1` with one block in each stage, with two differences: every convolution has a
    bias, and the 1x1 convolutions of the shortcuts have no batch normalization. Source: Banbury et
    al. 2021, arXiv:2106.07597.
    """
    parts = _Parts(True, batch_norm_momentum, activation)
    image = keras.Input(shape, name="image")
    x = parts.activated(image, "stem", 16, 3, 1)
    for stage, channels in enumerate((16, 32, 64)):
        name = f"stage{stage + 1}"
        stride = 2 if stage > 0 else 1
        y = parts.activated(x, f"{name}_conv1", channels, 3, stride)
        y = parts.normalised(y, f"{name}_conv2", channels, 3, 1)
        if stride > 1:
            x = parts.convolution(x, f"{name}_shortcut", channels, 1, stride)
        x = parts.join(y, x, name)
    return keras.Model(image, _head(x, classes), name="resnet8")
