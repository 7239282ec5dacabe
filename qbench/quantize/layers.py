"""The layers that a rewritten model has in addition to the layers of the float model.

They own no weights. The layers that they wrap belong to the float model, so a change from one view
to another moves no weights.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
import tensorflow as tf

from qbench.quantize.calls import call_with, is_stock
from qbench.quantize.insertion_plan import Row
from qbench.quantize.interface import KernelQuantizing, TensorQuantizing
from qbench.quantize.quantizer import CURRENT, FIXED, MOVING, OWN
from qbench.quantize.ranges import RangeAverages, minimum_and_maximum
from qbench.quantize.states import EMPTY, NO_STATES, QuantizerState, States
from qbench.quantize.traits import kernels


class MeasureRange(keras.layers.Layer):
    """The minimum and maximum of its input, () each, without a gradient."""

    def __init__(self, minimum: float | None, name: str) -> None:
        """A known `minimum` is not measured, which saves one pass over the tensor."""
        super().__init__(name=name)
        self.minimum = minimum

    def call(self, x: Any) -> Any:
        """Measure x, float32 of any shape."""
        if self.minimum is None:
            return minimum_and_maximum(x)
        return tf.constant(self.minimum, x.dtype), tf.reduce_max(tf.stop_gradient(x))

    def compute_output_spec(self, x: Any) -> Any:
        """Two scalars; Keras must not use a known minimum as a constant while it builds a model."""
        return keras.KerasTensor((), x.dtype), keras.KerasTensor((), x.dtype)

    def compute_mask(self, inputs: Any, previous_mask: Any) -> None:
        """Two numbers have no mask."""
        return None


class StackRanges(keras.layers.Layer):
    """Collects the ranges of n tensors, two scalars each, into one (n, 2) tensor."""

    def call(self, ranges: list[Any]) -> Any:
        """See the class."""
        ends = [end for pair in ranges for end in pair]
        return tf.reshape(tf.stack(ends), (len(ranges), 2))

    def compute_output_spec(self, ranges: list[Any]) -> Any:
        """As everywhere in this module: Keras need not run the layer to know what it makes."""
        return keras.KerasTensor((len(ranges), 2), ranges[0][0].dtype)


class FakeQuantize(keras.layers.Layer):
    """Fake-quantizes a tensor of the network.

    The inputs are the tensor and the ends of its measured range (or of the range of the tensor
    whose values it passes on). In training a moving average includes the current batch, as in
    TensorFlow 1's `MovingAvgQuantize`. The averages of tied tensors do not include it, because some
    of these tensors are computed later.
    """

    def __init__(
        self,
        quantizer: TensorQuantizing,
        averages: RangeAverages,
        row: Row,
        name: str,
        state: QuantizerState = EMPTY,
    ) -> None:
        """Tied tensors need a quantizer with the source MOVING, or with one state for them all."""
        super().__init__(name=name)
        self.supports_masking = True
        self.quantizer = quantizer
        self.averages = averages
        self.row = row
        self.state = state

    def call(self, x: Any, low: Any, high: Any, training: bool = False) -> Any:
        """See the class."""
        quantizer = self.quantizer.with_state(self.state.tensors())
        source = quantizer.source
        if source == OWN and training and self.row.is_root and quantizer.takes_own_range:
            # The step has measured this tensor for the averages; the op need not measure it again.
            return quantizer.given(x, low, high, name=self.name)
        if source in (MOVING, FIXED):
            low, high = self._moving(low, high, training)
        elif source == CURRENT:
            low, high = minimum_and_maximum(x)
        else:
            low = high = 0.0  # they are ignored, so nothing is measured
        return quantizer(x, low, high, name=self.name)

    def compute_output_spec(self, x: Any, low: Any, high: Any, training: bool = False) -> Any:
        """A tensor like x."""
        return keras.KerasTensor(x.shape, x.dtype)

    def _moving(self, low: Any, high: Any, training: bool) -> tuple[Any, Any]:
        """The ends of the averaged range, including the ranges of tied tensors."""
        row = self.row.own
        ends = self.averages.after(row, low, high) if training else self.averages.stored(row)
        low, high = ends[0], ends[1]
        for other in self.row.tied:
            ends = self.averages.stored(other)
            low, high = tf.minimum(low, ends[0]), tf.maximum(high, ends[1])
        return low, high


class WithQuantizedKernel(keras.layers.Layer):
    """Runs a convolution or dense layer with its kernels fake-quantized.

    Keras' stateless scope answers the layer's reads of its kernel with the quantized value. This
    works for every layer, and the gradient reaches the variable.
    """

    def __init__(
        self, layer: Any, quantizer: KernelQuantizing, name: str, states: States = NO_STATES
    ) -> None:
        """`layer` stays the owner of its variables; `states` hold the states of its kernels."""
        super().__init__(name=name)
        self.supports_masking = layer.supports_masking
        self.layer = layer
        self.quantizer = quantizer
        self.states = states

    def _quantized(self, kernel: Any, training: bool) -> Any:
        # One explicit read, so that all values computed from it are older than the step's update.
        value = tf.convert_to_tensor(kernel.value)
        quantizer = prepared(
            self.quantizer, self.states.of_kernel(self.layer, kernel), value, training
        )
        return quantizer(self.layer, kernel, value, self.name)

    def call(self, x: Any, training: bool = False) -> Any:
        """Call the wrapped layer on x, an input that it accepts."""
        mapping = [(kernel, self._quantized(kernel, training)) for kernel in kernels(self.layer)]
        return call_with(self, self.layer, mapping, x)

    def compute_output_spec(self, x: Any, training: bool = False) -> Any:
        """What the wrapped layer makes; one that is not Keras' own is called, which checks it."""
        if is_stock(self.layer):
            return self.layer.compute_output_spec(x)
        return super().compute_output_spec(x, training=training)


class WithQuantizedSlopes(keras.layers.Layer):
    """Runs a ReLU with trained slopes, with its slopes fake-quantized."""

    def __init__(self, layer: Any, quantizer: KernelQuantizing, name: str) -> None:
        """`layer` stays the owner of its variables."""
        super().__init__(name=name)
        self.supports_masking = layer.supports_masking
        self.layer = layer
        self.quantizer = quantizer

    def call(self, x: Any) -> Any:
        """Call the layer on x, float32 of any shape."""
        slopes = self.layer.alpha
        value = self.quantizer(self.layer, slopes, tf.convert_to_tensor(slopes.value), self.name)
        return call_with(self, self.layer, [(slopes, value)], x)

    def compute_output_spec(self, x: Any) -> Any:
        """A tensor like x."""
        return keras.KerasTensor(x.shape, x.dtype)


def prepared(
    quantizer: KernelQuantizing, state: QuantizerState, value: Any, training: bool
) -> KernelQuantizing:
    """The quantizer with the state of a kernel; a training step first stores what it measures.

    Args:
        quantizer: the quantizer of the kernel.
        state: the variables of the kernel.
        value: the value to quantize, a tensor.
        training: whether this is a training step.
    """
    if training:
        state.store(quantizer.measured(value))
    return quantizer.with_state(state.tensors())


class FusedBatchNormalization(keras.layers.Layer):
    """Runs a Keras BatchNormalization layer through TensorFlow's fused op.

    Keras 3 computes batch statistics with separate ops, about 1.4 times slower on a CPU. As in
    TensorFlow 1's fused op, the Bessel-corrected batch variance updates the moving variance.
    """

    def __init__(self, layer: Any, name: str, freeze: bool = False) -> None:
        """`is_fusable` holds for the BatchNormalization `layer`, which keeps its variables.

        With `freeze` it uses its moving statistics in training too.
        """
        super().__init__(name=name, activity_regularizer=layer.activity_regularizer)
        self.layer = layer
        self.freeze = freeze

    def call(self, x: Any, training: bool = False) -> Any:
        """Normalize x, (N, H, W, C) float32."""
        layer = self.layer
        training = training and layer.trainable and not self.freeze
        empty = tf.constant([], tf.float32)
        y, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
            x=x,
            scale=layer.gamma.value,
            offset=layer.beta.value,
            mean=empty if training else layer.moving_mean.value,
            variance=empty if training else layer.moving_variance.value,
            epsilon=layer.epsilon,
            is_training=training,
        )
        if training:
            move_statistics(layer, mean, variance)
        return y

    def compute_output_spec(self, x: Any, training: bool = False) -> Any:
        """A tensor like x."""
        return keras.KerasTensor(x.shape, x.dtype)


class GatedByItself(keras.layers.Layer):
    """SiLU as a file computes it: x * logistic(x), with the logistic function on a grid."""

    def __init__(self, gate: TensorQuantizing, name: str, penalty: Any = None) -> None:
        """`gate` quantizes the logistic function, and has a range of its own.

        `penalty` is the regularizer of the activity, if the layer of SiLU has one.
        """
        super().__init__(name=name, activity_regularizer=penalty)
        self.supports_masking = True
        self.gate = gate

    def call(self, x: Any) -> Any:
        """Apply it to x, float32 of any shape."""
        return x * self.gate(tf.sigmoid(x), 0.0, 0.0, name=self.name)

    def compute_output_spec(self, x: Any) -> Any:
        """A tensor like x."""
        return keras.KerasTensor(x.shape, x.dtype)


class InInference(keras.layers.Layer):
    """Runs a layer as in inference, also in training."""

    def __init__(self, layer: Any, name: str, constants: Mapping[str, Any]) -> None:
        """`layer` keeps its variables; `constants` are keyword arguments without tensors.

        Keras refuses a call of this layer with tensors and other values among its `**kwargs`.
        """
        super().__init__(name=name)
        self.supports_masking = layer.supports_masking
        self.layer = layer
        self.constants = dict(constants)

    def call(self, *args: Any, **kwargs: Any) -> Any:
        """Call the layer with these tensors, with the constants, and with `training=False`."""
        return self.layer(*args, training=False, **kwargs, **self.constants)


def move_statistics(norm: Any, mean: Any, variance: Any) -> None:
    """Include a batch's mean and (Bessel-corrected) variance, (channels,), in the moving values."""
    for moving, batch in ((norm.moving_mean, mean), (norm.moving_variance, variance)):
        kept = tf.stop_gradient(batch)
        moving.assign(moving.value * norm.momentum + kept * (1.0 - norm.momentum))
