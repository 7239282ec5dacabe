"""Networks that people bring: U-Nets, squeeze-and-excitation, EfficientNetB0 with hard SiLU.

    qbench train study=digits quant=deploy model=scripts/example_networks.py:unet model.up=nearest

`scripts/networks_page.py` trains and converts them for docs/networks.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import layers


def convolved(x: Any, width: int, **options: Any) -> Any:
    """A 3x3 convolution, batch normalization and ReLU, (N, H, W, C) to (N, H', W', width)."""
    x = layers.Conv2D(width, 3, padding="same", use_bias=False, **options)(x)
    return layers.ReLU()(layers.BatchNormalization(momentum=0.9)(x))


def enlarged(x: Any, width: int, up: str) -> Any:
    """A map of twice the height and the width, with `width` channels."""
    if up == "transposed":
        return layers.Conv2DTranspose(width, 2, strides=2)(x)
    return layers.Conv2D(width, 1)(layers.UpSampling2D(2, interpolation=up)(x))


def unet(shape: Sequence[int], classes: int, width: int = 8, up: str = "transposed") -> Any:
    """A U-Net of two levels whose full-size map is averaged into logits.

    Args:
        shape: (height, width, channels) of an image; both sides can be divided by 4.
        classes: number of logits.
        width: channels of the first level; each level below has twice as many.
        up: how maps are enlarged: `transposed` (a transposed convolution), `nearest` or `bilinear`
            (resizing, then a convolution).
    """
    image = keras.Input(shape)
    first = convolved(image, width)
    second = convolved(layers.MaxPooling2D()(first), 2 * width)
    x = convolved(layers.MaxPooling2D()(second), 4 * width)
    for across, channels in ((second, 2 * width), (first, width)):
        x = layers.Concatenate()([across, enlarged(x, channels, up)])
        x = convolved(x, channels)
    return keras.Model(image, layers.Dense(classes)(layers.GlobalAveragePooling2D()(x)))


def excited(x: Any, ratio: int = 4) -> Any:
    """Squeeze and excitation: every channel of (N, H, W, C) times a gate from 0 to 1."""
    channels = x.shape[-1]
    gate = layers.GlobalAveragePooling2D(keepdims=True)(x)
    gate = layers.Dense(max(channels // ratio, 1), activation="relu")(gate)
    return x * layers.Dense(channels, activation="sigmoid")(gate)


def squeeze(shape: Sequence[int], classes: int, width: int = 8) -> Any:
    """Three residual blocks with squeeze and excitation.

    Args:
        shape: (height, width, channels) of an image.
        classes: number of logits.
        width: channels of the first block; each block has twice as many as the last.
    """
    image = keras.Input(shape)
    x = convolved(image, width)
    for stage in range(3):
        channels, strides = width * 2**stage, min(stage + 1, 2)
        y = convolved(x, channels, strides=strides)
        y = layers.Conv2D(channels, 3, padding="same", use_bias=False)(y)
        y = excited(layers.BatchNormalization(momentum=0.9)(y))
        x = x if stage == 0 else layers.Conv2D(channels, 1, strides=strides)(x)
        x = layers.ReLU()(x + y)
    return keras.Model(image, layers.Dense(classes)(layers.GlobalAveragePooling2D()(x)))


def with_hard_silu(layer: Any) -> Any:
    """A new layer like this one: with hard SiLU for SiLU, and statistics of short runs."""
    config = layer.get_config()
    if config.get("activation") == "silu":
        config["activation"] = "hard_silu"
    if isinstance(layer, layers.BatchNormalization):
        config["momentum"] = 0.9
    return type(layer).from_config(config)


def efficientnet_hard(shape: Sequence[int], classes: int) -> Any:
    """EfficientNetB0 of Keras with hard SiLU, a global pool and a layer of logits.

    Args:
        shape: (height, width, channels) of an image with values from 0 to 255.
        classes: number of logits.
    """
    base = keras.applications.EfficientNetB0(False, weights=None, input_shape=tuple(shape))
    base = keras.models.clone_model(base, clone_function=with_hard_silu)
    x = layers.GlobalAveragePooling2D()(base.output)
    return keras.Model(base.input, layers.Dense(classes)(x))
