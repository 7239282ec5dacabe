"""Moving averages of the minimum and maximum of a network's tensors."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf


class RangeAverages:
    """Exponential moving averages of (minimum, maximum) for a fixed list of tensors.

    With decay d and measurements m_1, m_2, ... the average after t of them is
    a_t = a_(t-1) + w_t (m_t - a_(t-1)), w_t = (1 - d) / (1 - d^t). That is the zero-debiased
    average which TensorFlow 1's `assign_moving_average(zero_debias=True)` keeps, written so that
    a_1 = m_1 (to the last place or two) and no difference of near-equal numbers is divided.
    A measurement is first widened to hold 0, as TensorFlow 1's `contrib.quantize` does it: every
    grid holds 0, and an average of minima on both sides of 0 would be of neither.

    Attributes:
        tensors: the names of the tensors, in the order of the rows.
        averages: (n, 2) float32, minimum and maximum of each tensor.
        count: () float32, number of measurements so far.
    """

    def __init__(self, tensors: Sequence[str], decay: float) -> None:
        """`decay` lies in [0, 1); 0 keeps the last measurement alone."""
        self.tensors = tuple(tensors)
        self._one_minus_decay = 1.0 - decay
        self._log_decay = math.log(decay) if decay > 0 else -math.inf
        self.averages = keras.Variable(
            keras.ops.zeros((len(self.tensors), 2)), trainable=False, name="range_averages"
        )
        self.count = keras.Variable(0.0, trainable=False, name="range_count")

    @property
    def variables(self) -> list[Any]:
        """What a saved state must hold."""
        return [self.averages, self.count]

    def _weight(self) -> Any:
        """w_t of the measurement that comes next."""
        updates = self.count.value + 1.0
        return self._one_minus_decay / -tf.math.expm1(updates * self._log_decay)

    def after(self, row: int, low: Any, high: Any) -> Any:
        """Row `row` of the averages, (2,) float32, once these ends have been included."""
        old = self.averages.value[row]
        return old + self._weight() * (_holding_zero(tf.stack([low, high])) - old)

    def stored(self, row: int) -> Any:
        """Row `row` of the averages as they stand, (2,) float32."""
        return self.averages.value[row]

    def include(self, measured: Any) -> None:
        """Include one measurement of all tensors, (n, 2) float32."""
        old = self.averages.value
        self.averages.assign(old + self._weight() * (_holding_zero(measured) - old))
        self.count.assign(self.count.value + 1.0)


def _holding_zero(ends: Any) -> Any:
    """Ranges (..., 2), minimum and maximum, widened to hold 0."""
    return tf.maximum(tf.minimum(ends, [0.0, math.inf]), [-math.inf, 0.0])


def minimum_and_maximum(x: Any) -> tuple[Any, Any]:
    """The smallest and the largest value of x, () float32 each, without a gradient."""
    still = tf.stop_gradient(x)
    return tf.reduce_min(still), tf.reduce_max(still)
