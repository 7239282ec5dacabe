"""A layer's weights as an integer file holds them: batch normalization folded, on a grid."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from qbench.deploy.grids import HIGHEST, kernel_step
from qbench.quantize.folding import Array, affine, scaled
from qbench.quantize.kernels import KernelQuantizer, channel_form
from qbench.quantize.placement import kernels

FILE_BITS = 8


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


def bake(layer: Any, norm: Any | None, quantizer: KernelQuantizer | None, folded: bool) -> Baked:
    """The weights of `layer` with the normalization behind it.

    A kernel keeps the codes that it was trained on. A channel whose codes do not fit into
    -127 .. 127 gets the smallest scale on which they do, but a lone -128 is cut to -127. A dense
    kernel has one scale, which is the smallest too where folding gave its channels different steps.

    Args:
        layer: whose weights to take.
        norm: the normalization to fold in, if any.
        quantizer: how the simulation quantized the kernel; None where it was float.
        folded: whether the simulation folded before it quantized.
    """
    variable = kernels(layer)[0]
    raw = np.asarray(variable)
    form = channel_form(layer, variable)
    channels = raw.shape[-1] if form is None else form.channels
    whole = affine(layer, norm, channels)
    before, after = (whole.factor, 1.0) if folded else (1.0, whole.factor)
    ones = np.ones(channels, np.float32)
    kernel = np.asarray(scaled(layer, raw, ones * before))
    steps: Any = 0.0  # without a trained step: the smallest that holds each channel
    if quantizer:
        steps = _steps(layer, variable, kernel, quantizer)
        kernel = np.asarray(quantizer(layer, variable, kernel))
    kernel = np.asarray(scaled(layer, kernel, ones * after))
    return Baked(kernel, whole.bias, _ends(kernel, form, steps * np.abs(ones * after)))


def _steps(layer: Any, variable: Any, kernel: Array, quantizer: KernelQuantizer) -> Any:
    """The steps of the grid that a kernel was trained on, (channels,) or (), at most 8 bits."""
    inner = quantizer.quantizer
    fitting = replace(inner, bits=min(inner.bits, FILE_BITS))
    form = channel_form(layer, variable) if quantizer.per_channel else None
    if quantizer.symmetric:
        return np.asarray(replace(quantizer, quantizer=fitting).steps(layer, variable, kernel))
    if form is None:
        return kernel_step(float(kernel.min()), float(kernel.max()), fitting)
    columns = np.asarray(form.columns(kernel))
    ends = zip(columns.min(axis=0), columns.max(axis=0), strict=True)
    return np.array([kernel_step(float(low), float(high), fitting) for low, high in ends])


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
