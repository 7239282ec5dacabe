"""Counts the weights of a finished network by what they are: codes, zeros, shifts, signs; bits."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from qbench.base.names import first_names
from qbench.codes.dram_energy import FULL_BITS, Stored
from qbench.quantize.interface import MULTIPLICATION
from qbench.quantize.traits import is_convolution, kernels
from qbench.schemes.entry import EnteredKernel

MOSTLY = 0.9
"""The share of zeros from which a kernel counts as mostly zero."""
_NAMED = 3  # kernels that a sentence names


def kernel_facts(model: Any, quantized: Iterable[EnteredKernel]) -> dict[str, Any]:
    """The weights of all kernels, and what they cost for one image.

    A weight of 0 costs nothing. A convolution uses each weight once for each output position of
    each of its calls, positions at padding included. Biases, and the scales of kernels of signs,
    are not counted.

    Args:
        model: the network, built.
        quantized: the quantized kernels, with the values of the finished network.

    Returns:
        Plain data: `weights`, `coded` and `zero` count weights (all; in quantized kernels; coded as
        0). `read_bits` are the bits of all weights as they are read from memory: codes, 32 for each
        scale of codes, 32 for each other weight. `uses` counts for one image all uses of weights,
        and `used_as` those of weights that are not 0, by what they are: `multiplication`, `shift`
        or `sign`; both are left out if the shapes of a layer do not say them. `mostly_zero` names
        kernels whose weights are nearly all 0, if there are any.
    """
    found: Counter[str] = Counter()
    used_as: Counter[str] = Counter()
    mostly, uses, unknown = [], 0, 0
    codes, times_of = {id(one.variable): one for one in quantized}, _times(model)
    for layer, kernel in _multiplying(model):
        size, times, one = math.prod(kernel.shape), times_of[layer.name], codes.get(id(kernel))
        zeros = 0 if one is None else int(np.count_nonzero(one.quantized == 0))
        found.update(weights=size, coded=0 if one is None else size, zero=zeros)
        found["read_bits"] += stored(layer, kernel, one).total_bits
        acts = MULTIPLICATION if one is None else one.quantizer.multiplies_by
        unknown += times is None
        uses += (times or 0) * size
        used_as[acts] += (times or 0) * (size - zeros)
        mostly += [one.name] if one is not None and zeros >= MOSTLY * size else []
    facts: dict[str, Any] = dict(found)
    if not unknown:
        facts |= {"uses": uses, "used_as": dict(sorted(used_as.items()))}
    return facts | ({"mostly_zero": mostly} if mostly else {})


def stored(layer: Any, kernel: Any, coded: EnteredKernel | None) -> Stored:
    """A kernel as it is read from memory; `coded` is None if it is not quantized."""
    size = math.prod(kernel.shape)
    if coded is None:
        return Stored(size, FULL_BITS)
    return Stored(size, coded.quantizer.bits, coded.quantizer.scales(layer, kernel))


def named_kernels(mostly: Sequence[str]) -> str:
    """The kernels in `mostly_zero`, which are not empty, in words without a point at the end."""
    return f"nine of ten weights or more are 0 in {first_names(mostly, _NAMED)}"


def _times(model: Any) -> dict[str, int | None]:
    """How often each layer with kernels uses its weights for one image, in all its calls.

    The input of a call counts, not that of the layer: a model inside the network may declare other
    sides of images than it gets, and a layer may be called with several.
    """
    from qbench.quantize.tensors import graph_of  # imports Keras

    found: dict[str, int | None] = {}
    for call in graph_of(model).calls:
        if is_convolution(call.op):
            before, own = found.get(call.op.name, 0), positions(call.op, call.args[0].shape)
            found[call.op.name] = None if before is None or own is None else before + own
    return found


def positions(layer: Any, given: Sequence[int | None]) -> int | None:
    """How often a call of a layer uses each weight for one image; None if shapes do not say it.

    Args:
        layer: a layer with kernels, built.
        given: the shape of the input of the call, with the axis of the batch.
    """
    import keras

    layers = keras.layers
    first = getattr(layer, "data_format", None) == "channels_first"
    turned = layers.Conv1DTranspose | layers.Conv2DTranspose | layers.Conv3DTranspose
    shape = given if isinstance(layer, turned) else layer.compute_output_shape(tuple(given))
    sizes, shared = (shape[2:] if first else shape[1:-1]), 1
    if isinstance(layer, layers.EinsumDense):
        # Every value of the input meets a weight for each axis that only the kernel has.
        inputs, _, kernel = layer.equation.partition("->")[0].replace(" ", "").partition(",")
        axes = zip(kernel, layer.kernel.shape, strict=True)
        sizes, shared = given[1:], math.prod(n for axis, n in axes if axis in inputs)
    if None in sizes:
        return None
    times: int = math.prod(sizes) // shared
    return times


def _multiplying(model: Any) -> Iterator[tuple[Any, Any]]:
    """Every kernel with its layer."""
    for layer in model.layers:
        if is_convolution(layer):
            yield from ((layer, kernel) for kernel in kernels(layer))
