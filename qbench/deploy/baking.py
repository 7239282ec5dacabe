"""A layer's weights as an integer file holds them: batch normalization folded, on a grid."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from qbench.deploy.grids import FILE_BITS, HIGHEST
from qbench.quantize.folding import Array, affine, scaled
from qbench.quantize.kernels import KernelQuantizer, channel_form
from qbench.quantize.placement import kernels


@dataclass(frozen=True)
class Baked:
    """Constant weights of a convolution or dense layer.

    Attributes:
        kernel: in the layer's own shape, float32.
        bias: (channels,) float32.
        ends: the largest value of the kernel's symmetric int8 grid without the lowest code:
            (channels,), or () for a dense layer, float32.
    """

    kernel: Array
    bias: Array
    ends: Array


@dataclass(frozen=True)
class FoldedKernel:
    """A layer's kernel as the simulation has it, and what folding makes of it.

    Attributes:
        before: what was quantized: the kernel, folded where the simulation folds; float32.
        quantized: its values in the simulation.
        after: (channels,) float32, the factor of folding that is still to come.
        values: quantized times after.
        bias: (channels,) float32.
    """

    before: Array
    quantized: Array
    after: Array
    values: Array
    bias: Array


def folded_kernel(
    layer: Any, norm: Any | None, quantizer: KernelQuantizer | None, folded: bool
) -> FoldedKernel:
    """The weights of `layer` with the normalization behind it.

    Args:
        layer: whose weights.
        norm: the normalization to fold in, if any.
        quantizer: how the simulation quantized the kernel; None where it was float.
        folded: whether the simulation folded before it quantized.
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


def bake(layer: Any, norm: Any | None, quantizer: KernelQuantizer | None, folded: bool) -> Baked:
    """The weights of `layer` on the grid of an int8 file; arguments as in `folded_kernel`.

    A kernel keeps the codes that it was trained on. A channel whose codes do not fit into
    -127 .. 127 gets the smallest scale on which they do, but a lone -128 is cut to -127. A dense
    kernel has one scale, which is the smallest too where folding gave its channels different steps.
    """
    kernel = folded_kernel(layer, norm, quantizer, folded)
    variable = kernels(layer)[0]
    steps = np.zeros(1)  # without a trained step: the smallest that holds each channel
    if quantizer and quantizer.quantizer.has_grid:
        inner = quantizer.quantizer
        fitting = replace(inner, bits=min(inner.bits, FILE_BITS))
        steps = scales_of(layer, variable, kernel.before, replace(quantizer, quantizer=fitting))
    ends = _ends(kernel.values, channel_form(layer, variable), steps * np.abs(kernel.after))
    return Baked(kernel.values, kernel.bias, ends)


def scales_of(layer: Any, variable: Any, kernel: Array, quantizer: KernelQuantizer) -> Any:
    """The steps of the grid that a kernel is quantized on, (channels,) or (1,).

    Those of a symmetric grid are float32, as it is computed in units of them.
    """
    grids = quantizer.grids(layer, variable, kernel)
    dtype = np.float32 if quantizer.symmetric else np.float64
    return np.array([grid.scale for grid in grids], dtype)


def _ends(kernel: Array, form: Any, steps: Any) -> Array:
    """The largest value of each channel's symmetric narrow grid, or of a dense kernel's one."""
    if form is None:
        step = steps[0] if np.ptp(steps) == 0 else 0.0
        return _fitting(np.abs(kernel).max(), step)
    return _fitting(np.abs(np.asarray(form.columns(kernel))).max(axis=0), steps)


def _fitting(largest: Any, steps: Any) -> Array:
    """The ends of a grid with these steps, or with the smallest that hold the largest values."""
    fits = (largest <= steps * (HIGHEST + 1.5)) & (np.asarray(steps) > 0)
    scales = np.where(fits, steps, largest / HIGHEST)
    # A channel of zeros has any scale, but its bias is stored in steps of it.
    ends: Array = np.where(scales > 0, scales * HIGHEST, 1.0).astype(np.float32)
    return ends
