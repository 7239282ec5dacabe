"""Fake quantization of kernels: one range for the tensor or one for each output channel."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from qbench.quantize.interface import KernelQuantizing
from qbench.quantize.ops import OPS, OpGrid
from qbench.quantize.quantizer import CURRENT, OWN, Quantizer


@dataclass(frozen=True)
class KernelQuantizer(KernelQuantizing):
    """How the kernels of convolutions and dense layers are fake-quantized.

    Attributes:
        quantizer: op, bits and settings; its source is OWN or CURRENT.
        symmetric: the range is -m .. m, where m is the largest magnitude, with signed codes without
            the lowest one, as LiteRT needs it. If false, the op chooses the range.
        narrow: the op's own range also leaves out the lowest code (Jacob et al. 2018, section 3.1:
            weights never have the code -128).
        per_channel: one range for each output channel of a convolution. Then an op that measures
            ranges always measures them, unless `symmetric` is true. A dense kernel always has one
            range, because TensorFlow's converter supports no more.
    """

    quantizer: Quantizer
    symmetric: bool = False
    narrow: bool = False
    per_channel: bool = False

    @property
    def applied(self) -> Quantizer:
        """The quantizer of the values; on a symmetric grid it is signed and gets its range."""
        if not self.symmetric:
            return self.quantizer
        return replace(self.quantizer, signed=True, source=CURRENT)

    @property
    def op(self) -> str:
        """The name of the op."""
        return self.quantizer.op

    @property
    def bits(self) -> int:
        """Number of bits of the codes."""
        return self.quantizer.bits

    @property
    def source(self) -> str:
        """Where the range comes from."""
        return self.quantizer.source

    @property
    def bits_allowed(self) -> tuple[int, int]:
        """Smallest and largest number of bits of the op, both included."""
        return self.applied.bits_allowed

    @property
    def graph_ops(self) -> tuple[str, ...]:
        """TensorFlow's op types of the op."""
        return self.quantizer.graph_ops

    @property
    def has_grid(self) -> bool:
        """Whether the op has grids, which `grids` returns."""
        return self.quantizer.has_grid

    def require_grid(self) -> Callable[..., OpGrid]:
        """The function `Op.grid` of the op; QbenchError if it has none."""
        return self.quantizer.require_grid()

    def scales(self, layer: Any, kernel: Any) -> int:
        """One, or one for each output channel."""
        form = channel_form(layer, kernel) if self.per_channel else None
        return 1 if form is None else form.channels

    def with_bits(self, bits: int) -> KernelQuantizer:
        """The same quantizer with another number of bits."""
        return replace(self, quantizer=self.quantizer.with_bits(bits))

    def __call__(self, layer: Any, kernel: Any, value: Any, name: str | None = None) -> Any:
        """The quantized value.

        Args:
            layer: the owner of the kernel.
            kernel: the variable.
            value: the kernel's value or a value in place of it, in the kernel's shape, float32.
            name: the name of the op.
        """
        form = channel_form(layer, kernel) if self.per_channel else None
        if form is None:
            return self._quantized(value, name)
        return form.back(self._quantized(form.columns(value), name, per_channel=True))

    def _quantized(self, x: Any, name: str | None, per_channel: bool = False) -> Any:
        if self.symmetric:
            return self._on_symmetric_grid(x, name, per_channel)
        options = {"narrow": self.narrow, "per_channel": per_channel, "name": name}
        if per_channel and OPS[self.quantizer.op].own_range:
            # The op does not accept a range for each channel.
            unused = [0.0] * x.shape[-1]
            return replace(self.quantizer, source=OWN)(x, unused, unused, **options)
        low, high = self.ends_of(x, per_channel)
        return self.quantizer(x, low, high, **options)

    def _on_symmetric_grid(self, x: Any, name: str | None, per_channel: bool) -> Any:
        quantizer = self.applied
        if per_channel and OPS[quantizer.op].in_units:
            return _each_in_its_own_unit(x, quantizer, name)
        end = largest_magnitude(x, per_channel)
        return quantizer(x, -end, end, narrow=True, per_channel=per_channel, name=name)

    def ends_of(self, x: Any, per_channel: bool) -> tuple[Any, Any]:
        """The ends of the range of x; the op ignores them if it measures the range itself."""
        import tensorflow as tf

        if self.quantizer.source != CURRENT:
            return 0.0, 0.0
        still, axis = tf.stop_gradient(x), 0 if per_channel else None
        return tf.reduce_min(still, axis), tf.reduce_max(still, axis)

    def grids(self, layer: Any, kernel: Any, value: Any) -> list[OpGrid]:
        """The grid of each output channel, or one grid for the kernel; arguments as in a call.

        The code of 0 is 0 on a symmetric grid.

        Raises:
            QbenchError: the op has no grid.
        """
        form = channel_form(layer, kernel) if self.per_channel else None
        columns = np.reshape(value, (-1, 1)) if form is None else np.asarray(form.columns(value))
        ends = zip(columns.min(axis=0).tolist(), columns.max(axis=0).tolist(), strict=True)
        return [self.grid_over(low, high) for low, high in ends]

    def grid_over(self, low: float, high: float) -> OpGrid:
        """The grid of a kernel or of an output channel whose values have this range."""
        if not self.symmetric:
            return self.quantizer.grid(low, high, self.narrow)
        end = max(-low, high)
        grid = self.applied.grid(-end, end, narrow=True)
        return replace(grid, lowest=grid.lowest - grid.zero_point, zero_point=0)


# The slopes of a ReLU in an int8 file: one symmetric grid without the lowest code.
SLOPES = KernelQuantizer(Quantizer("fake_quant", 8, True, "half_up", CURRENT), symmetric=True)


def _each_in_its_own_unit(x: Any, quantizer: Quantizer, name: str | None) -> Any:
    """Quantize the columns of x (n, channels) on -m .. m, m the largest magnitude of each column.

    Each column is divided by its m, and all columns are quantized as one tensor over -1 .. 1.
    TensorFlow's ops for one range per channel take several times as long as these three ops
    together. No value lies outside the range, so the gradient passes through unchanged.
    """
    import tensorflow as tf

    largest = largest_magnitude(x, True)
    unit = tf.where(largest > 0, largest, 1.0)

    @tf.custom_gradient
    def quantized(x: Any) -> Any:
        y = quantizer.given(x / unit, -1.0, 1.0, narrow=True, name=name) * largest
        return y, lambda gradient: gradient

    return quantized(x)


def largest_magnitude(x: Any, per_channel: bool) -> Any:
    """The largest |x| of each column (channels,) or of all (); float32, without a gradient."""
    import tensorflow as tf

    return tf.reduce_max(tf.abs(tf.stop_gradient(x)), 0 if per_channel else None)


@dataclass(frozen=True)
class ChannelForm:
    """A kernel as a matrix with one column for each output channel.

    Attributes:
        shape: the shape of the kernel.
        swapped: whether its last two axes are (output, input) channels, as in transposed
            convolutions.
        channels: number of output channels.
    """

    shape: tuple[int, ...]
    swapped: bool
    channels: int

    def columns(self, value: Any) -> Any:
        """The kernel's values, (n, channels)."""
        import tensorflow as tf

        return tf.reshape(self._swap(value), (-1, self.channels))

    def back(self, columns: Any) -> Any:
        """The columns (n, channels) in the kernel's shape again."""
        import tensorflow as tf

        *outer, a, b = self.shape
        return self._swap(tf.reshape(columns, (*outer, b, a) if self.swapped else self.shape))

    def _swap(self, value: Any) -> Any:
        import tensorflow as tf

        return tf.linalg.matrix_transpose(value) if self.swapped else value


def channel_form(layer: Any, kernel: Any) -> ChannelForm | None:
    """How to read a kernel channel by channel; None if it is quantized as one tensor."""
    import keras

    layers, shape = keras.layers, tuple(kernel.shape)
    if isinstance(layer, layers.Dense | layers.EinsumDense):
        return None
    swapped = isinstance(
        layer, layers.Conv1DTranspose | layers.Conv2DTranspose | layers.Conv3DTranspose
    )
    depthwise = isinstance(layer, layers.DepthwiseConv1D | layers.DepthwiseConv2D)
    if depthwise or kernel is getattr(layer, "depthwise_kernel", None):
        return ChannelForm(shape, False, math.prod(shape[-2:]))
    return ChannelForm(shape, swapped, shape[-2 if swapped else -1])
