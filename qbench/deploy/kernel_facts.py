"""Counts the weights of a finished network by what they are: codes, zeros, shifts, signs."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from qbench.quantize.interface import MULTIPLICATION
from qbench.quantize.placement import is_convolution, kernels
from qbench.schemes.entry import EnteredKernel

MOSTLY = 0.9
"""The share of zeros from which a kernel counts as mostly zero."""


def kernel_facts(model: Any, quantized: Iterable[EnteredKernel]) -> dict[str, Any]:
    """The weights of all kernels, and what they cost for one image.

    A weight of 0 costs nothing. A convolution uses each weight once for each output position,
    positions at padding included. Biases, and the scales of kernels of signs, are not counted.

    Args:
        model: the network, built.
        quantized: the quantized kernels, with the values of the finished network.

    Returns:
        Plain data: `weights`, `coded` and `zero` count weights (all; in quantized kernels; coded as
        0), `uses` counts for one image all uses of weights, and `used_as` those of weights that are
        not 0, by what they are: `multiplication`, `shift` or `sign`. `mostly_zero` names kernels
        whose weights are nearly all 0.
    """
    found: Counter[str] = Counter()
    used_as: Counter[str] = Counter()
    mostly = []
    codes = {id(one.variable): one for one in quantized}
    for layer, kernel in _multiplying(model):
        size, times, one = math.prod(kernel.shape), positions(layer), codes.get(id(kernel))
        zeros = 0 if one is None else int(np.count_nonzero(one.quantized == 0))
        found.update(weights=size, coded=0 if one is None else size, zero=zeros, uses=size * times)
        acts = MULTIPLICATION if one is None else one.quantizer.multiplies_by
        used_as[acts] += times * (size - zeros)
        mostly += [one.name] if one is not None and zeros >= MOSTLY * size else []
    facts: dict[str, Any] = {**found, "used_as": dict(sorted(used_as.items()))}
    return facts | ({"mostly_zero": mostly} if mostly else {})


def positions(layer: Any) -> int:
    """How often a layer uses each of its weights for one image."""
    import keras

    layers = keras.layers
    if isinstance(layer, layers.EinsumDense):
        return _positions_of_einsum(layer)
    turned = layers.Conv1DTranspose | layers.Conv2DTranspose | layers.Conv3DTranspose
    shape = layer.input.shape if isinstance(layer, turned) else layer.output.shape
    first = getattr(layer, "data_format", None) == "channels_first"
    times: int = math.prod(shape[2:] if first else shape[1:-1])
    return times


def _positions_of_einsum(layer: Any) -> int:
    """The values of an output, divided by the axes of the output that the kernel has too."""
    left, _, output = layer.equation.replace(" ", "").partition("->")
    axes = zip(left.partition(",")[2], layer.kernel.shape, strict=True)
    own = math.prod(size for axis, size in axes if axis in output)
    times: int = math.prod(layer.output.shape[1:]) // own
    return times


def _multiplying(model: Any) -> Iterator[tuple[Any, Any]]:
    """Every kernel with its layer."""
    for layer in model.layers:
        if is_convolution(layer):
            yield from ((layer, kernel) for kernel in kernels(layer))
