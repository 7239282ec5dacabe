"""Kernels with their input channels and their filters as the last two axes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from qbench.quantize.kernels import channel_form


@dataclass(frozen=True)
class KernelForm:
    """How a kernel is read.

    Attributes:
        kernel: the shape of the kernel.
        shape: the shape of its form, (..., channels, filters). A depthwise kernel has filters of
            one channel.
        swapped: whether the last two axes of the kernel are (filters, channels).
    """

    kernel: tuple[int, ...]
    shape: tuple[int, ...]
    swapped: bool

    def of(self, value: Any) -> Any:
        """An array in the kernel's shape, in this form."""
        return np.reshape(np.swapaxes(value, -1, -2) if self.swapped else value, self.shape)

    def back(self, value: Any) -> Any:
        """An array in this form, in the kernel's shape."""
        if self.swapped:
            return np.ascontiguousarray(np.swapaxes(value, -1, -2))
        return np.reshape(value, self.kernel)


def kernel_form(layer: Any, kernel: Any) -> KernelForm:
    """The form of a layer's kernel; the last axis of a dense kernel are its filters."""
    shape = tuple(int(side) for side in kernel.shape)
    form = channel_form(layer, kernel)
    if form is not None and form.swapped:
        *places, filters, channels = shape
        return KernelForm(shape, (*places, channels, filters), True)
    if form is not None and form.channels != shape[-1]:
        return KernelForm(shape, (*shape[:-2], 1, math.prod(shape[-2:])), False)
    return KernelForm(shape, shape, False)
