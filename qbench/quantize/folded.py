"""Training with batch normalization folded into the kernel that is quantized."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from qbench.quantize.folding import scaled
from qbench.quantize.interface import KernelQuantizing
from qbench.quantize.layers import move_statistics, prepared
from qbench.quantize.states import NO_STATES, States
from qbench.quantize.traits import kernels


class WithFoldedKernel(keras.layers.Layer):
    """A convolution and the batch normalization behind it, with one quantized kernel.

    The quantized kernel is the kernel on an integer device: kernel * gamma / sigma, where sigma is
    the moving standard deviation (Jacob et al. 2018, section 3.2). In training the output is then
    corrected to the statistics of the batch, as in TensorFlow 1's `fold_batch_norms`: times sigma /
    sigma_batch, with the bias beta - mean_batch * gamma / sigma_batch. The statistics come from the
    unquantized convolution, which runs beside the quantized one. The gradient passes through these
    statistics, as in batch normalization, unless they are `constant`, as in TensorFlow 1, whose
    fused op has no gradient there.

    A regularizer of the layer's activity also reads the output of the unquantized convolution,
    because the output of the quantized one is already normalized.
    """

    def __init__(
        self,
        layer: Any,
        norm: Any,
        quantizer: KernelQuantizing,
        freeze: bool,
        name: str,
        states: States = NO_STATES,
        constant: bool = False,
    ) -> None:
        """`layer` and `norm` stay the owners of their variables.

        With `freeze`, training also uses the moving statistics and does not update them. Then it
        needs no correction and no second convolution.
        """
        super().__init__(name=name, activity_regularizer=norm.activity_regularizer)
        self.layer = layer
        self.norm = norm
        self.quantizer = quantizer
        self.states = states
        self.freeze = freeze
        self.constant = constant
        penalty = layer.activity_regularizer
        self.activity = penalty and keras.layers.Identity(activity_regularizer=penalty)

    def call(self, x: Any, training: bool = False) -> Any:
        """Call the wrapped layer on x, an input that it accepts."""
        norm, kernel = self.norm, kernels(self.layer)[0]
        # One explicit read, so that all values computed from it are older than the step's update.
        value = tf.convert_to_tensor(kernel.value)
        gamma = norm.gamma.value if norm.scale else 1.0
        beta = norm.beta.value if norm.center else 0.0
        own = getattr(self.layer, "bias", None)
        bias = 0.0 if own is None else own.value
        sigma = tf.sqrt(norm.moving_variance.value + norm.epsilon)
        folded = scaled(self.layer, value, gamma / sigma)
        state = self.states.of_kernel(self.layer, kernel)
        quantizer = prepared(self.quantizer, state, folded, training)
        y = self._convolution(x, quantizer(self.layer, kernel, folded, self.name))
        moves = training and not self.freeze and norm.trainable
        if moves or (training and self.activity is not None):
            unfolded = self._convolution(x, value)
            if self.activity is not None:
                self.activity(unfolded + bias)
        if not moves:
            return y + (beta + (bias - norm.moving_mean.value) * gamma / sigma)
        mean, variance, kept = _moments(unfolded)
        if self.constant:
            mean, variance = tf.stop_gradient(mean), tf.stop_gradient(variance)
        move_statistics(norm, mean + bias, kept)
        sigma_batch = tf.sqrt(variance + norm.epsilon)
        return y * (sigma / sigma_batch) + (beta - mean * gamma / sigma_batch)

    def compute_output_spec(self, x: Any, training: bool = False) -> Any:
        """What the convolution makes, which is Keras' own."""
        return self.layer.compute_output_spec(x)

    def _convolution(self, x: Any, kernel: Any) -> Any:
        """The layer with this kernel and without its bias."""
        mapping = [(kernels(self.layer)[0], kernel)]
        own = getattr(self.layer, "bias", None)
        if own is not None:
            mapping.append((own, tf.zeros_like(own.value)))
        with keras.StatelessScope(state_mapping=mapping):
            return self.layer.call(x)


@tf.custom_gradient
def _moments(y: Any) -> Any:
    """Mean and variance of y (..., channels) by channel, and the variance for the moving average.

    For images the third value is the Bessel-corrected variance. In float steps too, TensorFlow's
    fused op normalizes images and corrects their variance; Keras normalizes other tensors and does
    not correct. The fused op computes mean and variance in one pass, much faster than
    `tf.nn.moments`, but without a gradient.
    """
    channels = y.shape[-1]
    empty = tf.constant([], y.dtype)
    _, mean, corrected, *_ = tf.raw_ops.FusedBatchNormV3(
        x=tf.reshape(y, (-1, 1, 1, channels)) if len(y.shape) != 4 else y,
        scale=tf.ones(channels, y.dtype),
        offset=tf.zeros(channels, y.dtype),
        mean=empty,
        variance=empty,
        is_training=True,
    )
    count = tf.cast(tf.size(y) // channels, y.dtype)
    variance = corrected * tf.maximum(count - 1.0, 1.0) / count

    def gradient(of_mean: Any, of_variance: Any, _: Any) -> Any:
        slope = 2.0 * of_variance / count
        return y * slope + (of_mean / count - mean * slope)

    return (mean, variance, corrected if len(y.shape) == 4 else variance), gradient
