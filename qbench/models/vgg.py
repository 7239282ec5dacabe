"""VGG networks (Simonyan and Zisserman 2014, arXiv:1409.1556), and smaller ones made from them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import layers

from qbench.base import checks
from qbench.models.activations import activate
from qbench.models.registry import MODELS

Shape = tuple[int, int, int]
Stage = tuple[int, int]  # number of convolutions, channels; a pooling follows them

# Convolutions in each stage, and their channels over those of the first stage: configuration D.
VGG16 = ((2, 1), (2, 2), (3, 4), (3, 8), (3, 8))
# The same of the small networks of Chen et al. 2021, by their number of convolutions.
SMALL = {
    5: ((2, 1), (0, 1), (3, 2), (0, 1), (0, 1)),
    8: ((2, 1), (0, 1), (3, 2), (3, 4), (0, 1)),
}
CIFAR = ((2, 1), (2, 2), (3, 4), (3, 8))

INITIALIZER = "he_normal"


@MODELS.register("vgg16")
def vgg16(
    shape: Shape,
    classes: int,
    width: int = 64,
    hidden: int = 4096,
    dropout: float = 0.5,
    activation: str = "relu",
) -> Any:
    """VGG-16, configuration D of the paper: 13 convolutions of 3x3 in five stages, 3 dense layers.

    With 224x224x3 and 1,000 classes it has 138,357,544 parameters and 15,470,264,320
    multiplications for an image, 15,346,630,656 of them in convolutions. The paper began deep
    configurations with the weights of shallow ones; here every layer begins as He et al. 2015 say.

    Args:
        shape: (height, width, channels) of an image; five poolings halve the sides, rounded up.
        classes: number of logits.
        width: channels of the first stage; the others have 2, 4, 8 and 8 times as many.
        hidden: units of each of the two dense layers before the logits.
        dropout: share of the units of these layers that a training step leaves out; 0 for none.
        activation: `relu` or `relu6`.

    Raises:
        QbenchError: an argument has a value that is not allowed.
    """
    parts = _Parts(dropout, activation)
    return parts.network(shape, classes, _stages(VGG16, width), hidden, "vgg16")


@MODELS.register("vgg_small")
def vgg_small(
    shape: Shape,
    classes: int,
    convolutions: int = 8,
    width: int = 64,
    hidden: int = 4096,
    dropout: float = 0.5,
    activation: str = "relu",
) -> Any:
    """The small VGG-16 with 5 or 8 convolutions of Chen et al. 2021 (section 3.2, figure 2).

    VGG-16 without the convolutions of the second stage (112x112x128) and of the last one
    (14x14x512), and for 5 also without those of 28x28x512. The other stages have half the channels,
    except the first. The paper leaves open what becomes of the poolings and of the dense layers:
    here the poolings of removed stages stay, so that each stage left has its published sides, and
    the dense layers have their published widths. With 224x224x3 and 1,000 classes the networks have
    46,980,264 parameters (5) and 74,145,704 (8).

    Args:
        shape: (height, width, channels) of an image; five poolings halve the sides, rounded up.
        classes: number of logits.
        convolutions: 5 or 8.
        width: channels of the first stage; the others have 2 and 4 times as many.
        hidden: units of each of the two dense layers before the logits.
        dropout: share of the units of these layers that a training step leaves out; 0 for none.
        activation: `relu` or `relu6`.

    Raises:
        QbenchError: an argument has a value that is not allowed.
    """
    if convolutions not in SMALL:
        raise checks.wrong("model.convolutions", convolutions, "5 or 8")
    parts = _Parts(dropout, activation)
    stages = _stages(SMALL[convolutions], width)
    return parts.network(shape, classes, stages, hidden, f"vgg_small{convolutions}")


@MODELS.register("vgg_cifar")
def vgg_cifar(
    shape: Shape,
    classes: int,
    width: int = 8,
    hidden: int = 256,
    dropout: float = 0.0,
    batch_norm_momentum: float = 0.99,
    activation: str = "relu",
) -> Any:
    """A VGG for images of 32x32: the first four stages of VGG-16, with batch normalization.

    On 32x32x3 with 10 classes: 4,778,496 multiplications and 254,274 trained parameters with the
    arguments' defaults, 18,666,496 and 1,009,146 with width 16 and 512 hidden units.

    Args:
        shape: (height, width, channels) of an image; four poolings halve the sides, rounded up.
        classes: number of logits.
        width: channels of the first stage; the others have 2, 4 and 8 times as many.
        hidden: units of each of the two dense layers before the logits, which have no batch
            normalization.
        dropout: share of the units of these layers that a training step leaves out; 0 for none.
        batch_norm_momentum: share of the old moving statistics kept in a step.
        activation: `relu` or `relu6`.

    Raises:
        QbenchError: an argument has a value that is not allowed.
    """
    parts = _Parts(dropout, activation, batch_norm_momentum)
    return parts.network(shape, classes, _stages(CIFAR, width), hidden, "vgg_cifar")


def _stages(stages: Sequence[Stage], width: int) -> list[Stage]:
    """The stages with their channels."""
    checks.whole("model.width", width, 1)
    return [(convolutions, factor * width) for convolutions, factor in stages]


class _Parts:
    """The layers of one VGG; without a momentum it has no batch normalization."""

    def __init__(self, dropout: float, activation: str, momentum: float | None = None) -> None:
        checks.number("model.dropout", dropout, 0, 0.99)
        self._dropout = dropout
        self._activation = activation
        self._momentum = momentum

    def network(
        self, shape: Shape, classes: int, stages: Sequence[Stage], hidden: int, name: str
    ) -> Any:
        """The network of these stages."""
        checks.whole("model.hidden", hidden, 1)
        x = image = keras.Input(shape, name="image")
        for number, (convolutions, channels) in enumerate(stages, 1):
            for place in range(1, convolutions + 1):
                x = self._convolution(x, f"stage{number}_conv{place}", channels)
            x = layers.MaxPooling2D(2, padding="same", name=f"stage{number}_pool")(x)
        x = layers.Flatten(name="flat")(x)
        for number in (1, 2):
            x = self._dense(x, f"dense{number}", hidden)
        x = layers.Dense(classes, kernel_initializer=INITIALIZER, name="logits")(x)
        return keras.Model(image, x, name=name)

    def _convolution(self, x: Any, name: str, channels: int) -> Any:
        """3x3 convolution, perhaps batch normalization, and activation."""
        x = layers.Conv2D(
            channels,
            3,
            padding="same",
            use_bias=self._momentum is None,
            kernel_initializer=INITIALIZER,
            name=name,
        )(x)
        if self._momentum is not None:
            x = layers.BatchNormalization(momentum=self._momentum, name=f"{name}_bn")(x)
        return activate(x, self._activation, f"{name}_relu")

    def _dense(self, x: Any, name: str, units: int) -> Any:
        """Dense layer, activation and perhaps dropout."""
        x = layers.Dense(units, kernel_initializer=INITIALIZER, name=name)(x)
        x = activate(x, self._activation, f"{name}_relu")
        return layers.Dropout(self._dropout, name=f"{name}_dropout")(x) if self._dropout else x
