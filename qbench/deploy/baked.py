"""A layer with constant, folded weights, written for the converter."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from qbench.deploy.baking import Baked
from qbench.quantize.calls import is_stock
from qbench.quantize.folding import is_depthwise
from qbench.quantize.traits import kernels


class BakedConvolution(keras.layers.Layer):
    """A convolution or dense layer with constant, folded weights."""

    def __init__(self, layer: Any, baked: Baked, on_grid: bool, name: str, before: int = 0) -> None:
        """With `on_grid`, the kernel gets the int8 grid in `baked`.

        `before` is the number of calls of the layer before this one.
        """
        super().__init__(name=name)
        self.before = before
        self.layer = layer
        self.baked = baked
        self.on_grid = on_grid
        self.leaves_out_grid = False

    def call(self, x: Any) -> Any:
        """Apply the layer with its constant weights to its input `x`."""
        written_out = _is_written_out(self.layer, x)
        kernel, bias = tf.constant(self.baked.kernel), self.baked.bias
        if written_out and isinstance(self.layer, keras.layers.Dense):
            kernel = kernel[None, None]
        if self.on_grid and not self.leaves_out_grid:
            kernel = self._quantized(kernel)
        if written_out:
            return _convolved(self.layer, x, kernel, bias)
        mapping = [(kernels(self.layer)[0], kernel)]
        own = getattr(self.layer, "bias", None)
        if own is not None:
            mapping.append((own, tf.constant(bias)))
        with keras.StatelessScope(state_mapping=mapping):
            y = self.layer.call(x)
        return y if own is not None or not bias.any() else y + tf.constant(bias)

    def compute_output_spec(self, x: Any) -> Any:
        """What the layer says about its own output."""
        return self.layer.compute_output_spec(x)

    def _quantized(self, kernel: Any) -> Any:
        # The converter makes one kernel of equal ones of several calls, and finds other scales for
        # it; so they differ in the last bits.
        ends = self.baked.ends * np.float32(1 + self.before * 2**-23)
        if ends.ndim == 0 and kernel.shape.rank == 4:  # of a convolution: one scale a channel
            ends = np.full(kernel.shape[-1], ends)
        if isinstance(self.layer, keras.layers.Conv2DTranspose):
            return kernel  # the converter refuses FakeQuant here; it takes the values' scales
        if ends.ndim == 0:
            end = float(ends)
            return tf.quantization.fake_quant_with_min_max_args(
                kernel, -end, end, num_bits=8, narrow_range=True
            )
        if kernel.shape.rank == 3:  # the converter does not reshape grids of channels
            kernel = kernel[None]
        # A depthwise kernel is (height, width, inputs, multiplier); the op takes channels last.
        *outer, channels = kernel.shape
        columns = kernel if len(ends) == channels else tf.reshape(kernel, (*outer[:2], len(ends)))
        columns = tf.quantization.fake_quant_with_min_max_vars_per_channel(
            columns, -ends, ends, num_bits=8, narrow_range=True
        )
        return tf.reshape(columns, kernel.shape)


def _is_written_out(layer: Any, x: Any) -> bool:
    """Whether a layer is a convolution of its input `x` that the converter misses in Keras' call.

    Keras dilates by reordering the image, and the grids of a kernel with three axes get lost when
    TensorFlow gives it a fourth one. A dense layer on maps or sequences is a convolution of 1x1:
    Keras reshapes between its product and its bias, where a file would need one more grid.
    """
    if not is_stock(layer):
        return False
    flat = isinstance(layer, keras.layers.Conv1D | keras.layers.DepthwiseConv1D)
    images = isinstance(layer, keras.layers.Conv2D | keras.layers.DepthwiseConv2D)
    over_places = isinstance(layer, keras.layers.Dense) and x.shape.rank in (3, 4)
    return flat or over_places or (images and max(layer.dilation_rate) > 1)


def _convolved(layer: Any, x: Any, kernel: Any, bias: Any) -> Any:
    """The output of a layer that `_is_written_out`.

    Args:
        layer: the layer.
        x: its input, (N, H, W, C) or (N, W, C) float32.
        kernel: its kernel; with a first axis of one row if the input has one and lies on a grid,
            with two axes of one before those of a dense layer.
        bias: (channels,) float32.
    """
    flat, dense = x.shape.rank == 3, isinstance(layer, keras.layers.Dense)
    strides, dilations = ([1], [1]) if dense else (list(layer.strides), list(layer.dilation_rate))
    padding = "VALID" if dense else layer.padding.upper()
    if len(strides) == 1:
        # Depthwise convolutions have one stride for both axes.
        strides = [strides[0] if is_depthwise(layer) else 1, *strides]
        dilations = [1, *dilations]
    if flat:
        kernel = kernel if kernel.shape.rank == 4 else kernel[None]
        if padding == "CAUSAL":
            before = dilations[1] * (kernel.shape[1] - 1)
            x, padding = tf.pad(x, [[0, 0], [before, 0], [0, 0]]), "VALID"
        x = tf.expand_dims(x, 1)
    product = _depthwise if is_depthwise(layer) else tf.nn.conv2d
    y = product(x, kernel, [1, *strides, 1], padding, dilations=[1, *dilations, 1])
    y = layer.activation(y + tf.constant(bias) if bias.any() else y)
    return tf.squeeze(y, 1) if flat else y


def _depthwise(x: Any, kernel: Any, strides: Any, padding: str, dilations: Any) -> Any:
    """`tf.nn.depthwise_conv2d` as one operation, which does not reorder the image."""
    return tf.raw_ops.DepthwiseConv2dNative(
        input=x, filter=kernel, strides=strides, padding=padding, dilations=dilations
    )
