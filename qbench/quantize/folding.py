"""Batch normalization as part of the convolution before it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from qbench.quantize.calls import is_stock
from qbench.quantize.tensors import Call, Graph, graph_of
from qbench.quantize.traits import is_convolution

Array = NDArray[np.float32]


def foldable(model: Any) -> dict[str, Any]:
    """The batch normalization that can be folded into each convolution, by convolution."""
    return foldable_in(graph_of(model))


def foldable_in(graph: Graph) -> dict[str, Any]:
    """The batch normalization that can be folded into each convolution of a graph.

    The normalization must be the only reader of the output of a linear convolution, and normalize
    its last axis. Both must be called only once, and both must be Keras' own layers. A
    normalization with a mask is not folded: its statistics leave values out.
    """
    times = Counter(call.op.name for call in graph.calls)
    readers: dict[str, list[Call]] = {}
    for call in graph.calls:
        for tensor in call.reads:
            readers.setdefault(tensor.name, []).append(call)
    found = {}
    for call in filter(lambda call: is_convolution(call.op), graph.calls):
        reading = [reader for made in call.makes for reader in readers.get(made.name, ())]
        once = len(reading) == 1 and times[call.op.name] == times[reading[0].op.name] == 1
        whole = once and not reading[0].is_masked and graph.output not in call.makes
        if whole and _takes_up(call.op, reading[0].op):
            found[call.op.name] = reading[0].op
    return found


def is_as_keras_has_it(layer: Any) -> bool:
    """Whether a layer computes what its type says: its class is Keras' own and no variant."""
    return is_stock(layer) and not getattr(layer, "renorm", False)


def is_fusable(norm: Any, x: Any) -> bool:
    """Whether TensorFlow's fused op computes what a normalization does with a tensor.

    It does for x (N, H, W, C), with gamma and beta.
    """
    return (
        isinstance(norm, keras.layers.BatchNormalization)
        and is_as_keras_has_it(norm)
        and len(x.shape) == 4
        and norm.axis in (-1, 3)
        and norm.center
        and norm.scale
    )


def _takes_up(convolution: Any, reader: Any) -> bool:
    return (
        isinstance(reader, keras.layers.BatchNormalization)
        and is_as_keras_has_it(reader)
        and is_as_keras_has_it(convolution)
        and reader.axis in (-1, len(convolution.output.shape) - 1)
        and getattr(convolution, "activation", None) in (None, keras.activations.linear)
        and isinstance(
            convolution,
            keras.layers.Conv1D
            | keras.layers.Conv2D
            | keras.layers.Conv2DTranspose
            | keras.layers.DepthwiseConv1D
            | keras.layers.DepthwiseConv2D
            | keras.layers.Dense,
        )
    )


def is_depthwise(layer: Any) -> bool:
    """Whether a layer has a kernel (..., inputs, multiplier), whose products are not added."""
    return isinstance(layer, keras.layers.DepthwiseConv1D | keras.layers.DepthwiseConv2D)


def scaled(layer: Any, kernel: Any, factor: Any) -> Any:
    """A kernel times a factor for each output channel, (channels,)."""
    if is_depthwise(layer):  # (height, width, inputs, multiplier)
        factor = keras.ops.reshape(factor, kernel.shape[-2:])
    if isinstance(layer, keras.layers.Conv2DTranspose):  # (height, width, outputs, inputs)
        factor = factor[..., None]
    return kernel * factor


@dataclass(frozen=True)
class Affine:
    """A convolution and its batch normalization as factor * (kernel * x) + bias.

    Attributes:
        factor: (channels,) gamma / sqrt(moving variance + epsilon); ones without normalization.
        bias: (channels,) beta + (bias - moving mean) * factor.
    """

    factor: Array
    bias: Array


def affine(convolution: Any, norm: Any | None, channels: int) -> Affine:
    """The inference form of a layer, with moving statistics (Jacob et al. 2018, eq. 14)."""
    own = getattr(convolution, "bias", None)
    bias = np.zeros(channels, np.float32) if own is None else np.asarray(own)
    if norm is None:
        return Affine(np.ones(channels, np.float32), bias)
    factor = 1 / np.sqrt(np.asarray(norm.moving_variance) + np.float32(norm.epsilon))
    if norm.scale:
        factor = factor * np.asarray(norm.gamma)
    shift = np.asarray(norm.beta) if norm.center else np.float32(0)
    bias = shift + (bias - np.asarray(norm.moving_mean)) * factor
    return Affine(factor.astype(np.float32), bias.astype(np.float32))
