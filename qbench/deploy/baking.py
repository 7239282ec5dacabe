"""Computes the weights of a layer in an integer file, with batch normalization folded in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from qbench.deploy.agreement import check_scale
from qbench.deploy.grids import FILE_BITS, HIGHEST
from qbench.quantize.folding import Array, affine, scaled
from qbench.quantize.interface import KernelQuantizing
from qbench.quantize.kernels import channel_form
from qbench.quantize.traits import kernels


@dataclass(frozen=True)
class Baked:
    """Constant weights of a convolution or dense layer.

    Attributes:
        kernel: the kernel in the layer's own shape, float32.
        bias: (channels,) float32.
        ends: the largest value of the kernel's grid, float32; (channels,), or () for a dense layer.
            The grid is symmetric int8 without the lowest code.
    """

    kernel: Array
    bias: Array
    ends: Array


@dataclass(frozen=True)
class FoldedKernel:
    """A layer's kernel in the simulation, and the folded kernel.

    Attributes:
        before: the kernel before quantization, float32; folded if the simulation folds.
        quantized: the kernel after quantization in the simulation.
        after: (channels,) float32, the factor of folding that is not yet in `quantized`.
        values: `quantized` times `after`.
        bias: (channels,) float32.
    """

    before: Array
    quantized: Array
    after: Array
    values: Array
    bias: Array


def folded_kernel(
    layer: Any, norm: Any | None, quantizer: KernelQuantizing | None, folded: bool
) -> FoldedKernel:
    """The weights of `layer`, with the batch normalization behind it folded in.

    Args:
        layer: the layer that owns the weights.
        norm: the batch normalization to fold in, or None.
        quantizer: the quantizer of the kernel in the simulation; None if the kernel was float.
        folded: whether the simulation folded the batch normalization before it quantized.
    """
    variable = kernels(layer)[0]
    form = channel_form(layer, variable)
    channels = variable.shape[-1] if form is None else form.channels
    whole = affine(layer, norm, channels)
    ones = np.ones(channels, np.float32)
    first, after = (whole.factor, ones) if folded else (ones, whole.factor)
    before = np.asarray(scaled(layer, np.asarray(variable), first))
    quantized = np.asarray(quantizer(layer, variable, before)) if quantizer else before
    values = np.asarray(scaled(layer, quantized, after))
    return FoldedKernel(before, quantized, after, values, whole.bias)


def bake(layer: Any, kernel: FoldedKernel, quantizer: KernelQuantizing | None) -> Baked:
    """The weights of `layer`, which `folded_kernel` has folded, on the grid of an int8 file.

    A kernel keeps the codes of its training. If the codes of a channel do not fit into -127 .. 127,
    the channel gets the smallest scale on which they fit; only a single -128 is clamped to -127. A
    dense kernel has one scale. If folding gave its channels different scales, it gets the smallest
    scale on which all fit.
    """
    variable = kernels(layer)[0]
    steps = np.zeros(1)  # no trained scale: the smallest scale that fits
    if quantizer and quantizer.has_grid:
        fitting = quantizer.with_bits(min(quantizer.bits, FILE_BITS))
        steps = scales_of(layer, variable, kernel.before, fitting)
    ends = _ends(kernel.values, channel_form(layer, variable), steps * np.abs(kernel.after))
    return Baked(kernel.values, kernel.bias, ends)


def scales_of(layer: Any, variable: Any, kernel: Array, quantizer: KernelQuantizing) -> Any:
    """The scales of the grid of a quantized kernel, (channels,) or (1,).

    The scales of a symmetric grid are float32, as in its computation.

    Raises:
        QbenchError: a scale is negative or not finite.
    """
    grids = quantizer.grids(layer, variable, kernel)
    for grid in grids:
        check_scale(f"{layer.name} {variable.name}", grid.scale, False)
    dtype = np.float32 if quantizer.symmetric else np.float64
    return np.array([grid.scale for grid in grids], dtype)


def _ends(kernel: Array, form: Any, steps: Any) -> Array:
    """The largest value of each channel's symmetric narrow grid, or of a dense kernel's grid."""
    if form is None:
        step = steps[0] if np.ptp(steps) == 0 else 0.0
        return _fitting(np.abs(kernel).max(), step)
    return _fitting(np.abs(np.asarray(form.columns(kernel))).max(axis=0), steps)


def _fitting(largest: Any, steps: Any) -> Array:
    """The ends of grids with these scales; if they do not fit, with the smallest that fit."""
    fits = (largest <= steps * (HIGHEST + 1.5)) & (np.asarray(steps) > 0)
    scales = np.where(fits, steps, largest / HIGHEST)
    # A channel of zeros may have any scale, but its bias is stored in multiples of the scale.
    ends: Array = np.where(scales > 0, scales * HIGHEST, 1.0).astype(np.float32)
    return ends
