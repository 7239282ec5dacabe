"""Batch normalization as part of the convolution before it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from qbench.quantize.calls import is_stock
from qbench.quantize.placement import is_convolution
from qbench.quantize.walk import walk

Array = NDArray[np.float32]


def foldable(model: Any) -> dict[str, Any]:
    """The batch normalization behind each convolution that can take it up, by convolution.

    It must be the only reader of a linear convolution's output and normalize its last axis, and
    neither may be called more than once, or compute anything else than Keras' own; statistics of
    masked values are not those of all.
    """
    producers: dict[int, Any] = {}
    readers: dict[str, list[Any]] = {}
    calls: Counter[str] = Counter()
    masked: set[str] = set()
    held = []  # the tensors, so that their ids stay their own

    def call(op: Any, *args: Any, **kwargs: Any) -> Any:
        calls[op.name] += 1
        if kwargs.get("mask") is not None:  # Keras notes down those that it finds by itself, too
            masked.add(op.name)
        for tensor in filter(keras.utils.is_keras_tensor, keras.tree.flatten((args, kwargs))):
            if id(tensor) in producers:
                readers.setdefault(producers[id(tensor)].name, []).append(op)
        output = op(*args, **kwargs)
        held.append(output)
        if keras.utils.is_keras_tensor(output) and is_convolution(op):
            producers[id(output)] = op
        return output

    ends = {id(tensor) for tensor in walk(model, call).outputs}
    found = {}
    for tensor, convolution in producers.items():
        reading = readers.get(convolution.name, [])
        once = len(reading) == 1 and calls[convolution.name] == calls[reading[0].name] == 1
        whole = once and reading[0].name not in masked and tensor not in ends
        if whole and _takes_up(convolution, reading[0]):
            found[convolution.name] = reading[0]
    return found


def called_in_inference(model: Any) -> set[str]:
    """The layers that work as in inference whenever they are called: `training=False` was given.

    A call of a model in training would overrule that in Keras 3.15, and does not in later ones.
    """
    found = set()

    def call(op: Any, *args: Any, **kwargs: Any) -> Any:
        if is_in_inference(kwargs):
            found.add(op.name)
        return op(*args, **kwargs)

    walk(model, call)
    return found


def is_in_inference(kwargs: Mapping[str, Any]) -> bool:
    """Whether a layer is called with `training=False`."""
    given = kwargs.get("training")
    return given is not None and not given


def is_as_keras_has_it(layer: Any) -> bool:
    """Whether a layer computes what its type says: it is of Keras' own class, and no variant."""
    return is_stock(layer) and not getattr(layer, "renorm", False)


def _takes_up(convolution: Any, reader: Any) -> bool:
    return (
        isinstance(reader, keras.layers.BatchNormalization)
        and is_as_keras_has_it(reader)
        and is_as_keras_has_it(convolution)
        and reader.axis in (-1, len(convolution.output.shape) - 1)
        and getattr(convolution, "activation", None) in (None, keras.activations.linear)
        and isinstance(
            convolution, keras.layers.Conv2D | keras.layers.DepthwiseConv2D | keras.layers.Dense
        )
    )


def scaled(layer: Any, kernel: Any, factor: Any) -> Any:
    """A kernel times a factor for each output channel, (channels,)."""
    if isinstance(layer, keras.layers.DepthwiseConv2D):  # (height, width, inputs, multiplier)
        factor = keras.ops.reshape(factor, kernel.shape[-2:])
    return kernel * factor


@dataclass(frozen=True)
class Affine:
    """What a convolution and its batch normalization do to x, as factor * (kernel * x) + bias.

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
