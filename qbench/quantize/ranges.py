"""Moving averages of the minimum and maximum of a network's tensors."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf


class RangeAverages:
    """Exponential moving averages of (minimum, maximum) for a fixed list of tensors.

    With decay d and measurements m_1, m_2, ... the average after t of them is a_t = a_(t-1) + w_t
    (m_t - a_(t-1)), w_t = (1 - d) / (1 - d^t). This is the zero-debiased average of TensorFlow 1's
    `assign_moving_average(zero_debias=True)`. In this form a_1 = m_1 (except for the last bit or
    two), and no difference of nearly equal numbers is divided. Each measurement is first widened
    until it includes 0, as in TensorFlow 1's `contrib.quantize`. Every grid includes 0, so an
    average of minima on both sides of 0 would have no meaning.

    Attributes:
        tensors: the names of the tensors, in the order of the rows.
        averages: (n, 2) float32, minimum and maximum of each tensor.
        count: () float32, number of measurements so far.
    """

    def __init__(self, tensors: Sequence[str], decay: float) -> None:
        """`decay` lies in [0, 1); with 0 the average is the last measurement."""
        self.tensors = tuple(tensors)
        self._one_minus_decay = 1.0 - decay
        self._log_decay = math.log(decay) if decay > 0 else -math.inf
        self.averages = keras.Variable(
            keras.ops.zeros((len(self.tensors), 2)), trainable=False, name="range_averages"
        )
        self.count = keras.Variable(0.0, trainable=False, name="range_count")

    @property
    def variables(self) -> list[Any]:
        """The variables that a saved state must hold."""
        return [self.averages, self.count]

    def _weight(self) -> Any:
        """The weight w_t of the next measurement."""
        updates = self.count.value + 1.0
        return self._one_minus_decay / -tf.math.expm1(updates * self._log_decay)

    def after(self, row: int, low: Any, high: Any) -> Any:
        """Row `row` of the averages, (2,) float32, after these ends are included."""
        old = self.averages.value[row]
        return old + self._weight() * (_holding_zero(tf.stack([low, high])) - old)

    def stored(self, row: int) -> Any:
        """Row `row` of the stored averages, (2,) float32."""
        return self.averages.value[row]

    def include(self, measured: Any) -> None:
        """Include one measurement of all tensors, (n, 2) float32."""
        old = self.averages.value
        self.averages.assign(old + self._weight() * (_holding_zero(measured) - old))
        self.count.assign(self.count.value + 1.0)


def _holding_zero(ends: Any) -> Any:
    """Widen ranges (..., 2), minimum and maximum, until they include 0."""
    return tf.maximum(tf.minimum(ends, [0.0, math.inf]), [-math.inf, 0.0])


def minimum_and_maximum(x: Any) -> tuple[Any, Any]:
    """The smallest and the largest value of x, () float32 each, without a gradient."""
    still = tf.stop_gradient(x)
    return tf.reduce_min(still), tf.reduce_max(still)
