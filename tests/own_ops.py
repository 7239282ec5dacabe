"""Fake-quantization ops as a user could add them: with a grid of their own, and without one."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import tensorflow as tf

from qbench.quantize.ops import OPS, Op, OpGrid

_MANTISSA = 0x7FFFFF


def _power_at_least(x: Any) -> Any:
    """The smallest powers of 2 that are not below x > 0, float32; 0 for 0."""
    whole = tf.bitcast(tf.cast(x, tf.float32), tf.int32) + _MANTISSA
    return tf.bitcast(tf.bitwise.bitwise_and(whole, ~_MANTISSA), tf.float32)


def _to_powers_of_two(
    x: Any, low: Any, high: Any, *, bits: int, narrow: bool = False, **_: Any
) -> Any:
    """Signed codes with a scale that is a power of 2; the gradient passes straight through.

    Ties go up, as in the op by which the converter reads a grid.
    """
    end = _power_at_least(tf.stop_gradient(tf.maximum(-low, high)))
    step = end / 2 ** (bits - 1)
    first, last = narrow - 2.0 ** (bits - 1), 2.0 ** (bits - 1) - 1

    def quantized(x: Any) -> Any:
        codes = tf.floor(tf.math.divide_no_nan(x, step) + 0.5)
        return tf.clip_by_value(codes, first, last) * step

    return tf.grad_pass_through(quantized)(x)


def _grid(low: float, high: float, *, bits: int, narrow: bool, **_: Any) -> OpGrid:
    end = max(-low, high)
    step = 2.0 ** (math.ceil(math.log2(end)) - bits + 1) if end > 0 else 0.0
    return OpGrid(step, 0, narrow - 2 ** (bits - 1), 2**bits - narrow)


POWERS = Op(label="Powers", apply=_to_powers_of_two, grid=_grid, min_bits=2, max_bits=(40, 40))


def _logarithmic(x: Any, low: Any, high: Any, **_: Any) -> Any:
    """Values of either sign whose magnitude is a power of 2: no two steps are alike."""

    def quantized(x: Any) -> Any:
        return tf.sign(x) * _power_at_least(tf.abs(x))

    return tf.grad_pass_through(quantized)(x)


LOGARITHMIC = Op(label="Logarithmic", apply=_logarithmic, grid=None, min_bits=2, max_bits=(40, 40))


def _cut_off(x: Any, low: Any, high: Any, **settings: Any) -> Any:
    """fake_quant that rounds down: on the same grid, but not to the nearest value."""
    step = (high - low) / (2.0 ** settings["bits"] - 1)
    return OPS["fake_quant"].apply(x - step / 2, low, high, **settings)


def _uncut(x: Any, low: Any, high: Any, **settings: Any) -> Any:
    """fake_quant whose grid goes on beyond the range."""
    step = (high - low) / (2.0 ** settings["bits"] - 1)
    return tf.grad_pass_through(lambda x: tf.round(x / step) * step)(x)


def _one_code_less(apply: Any) -> Any:
    """An op that leaves the lowest code out, of tensors too."""

    def fewer(*args: Any, narrow: bool = False, **settings: Any) -> Any:
        return apply(*args, narrow=True, **settings)

    return fewer


def _shifted(x: Any, low: Any, high: Any, **settings: Any) -> Any:
    """fake_quant and a third of a step: 0 is no value of it any more."""
    step = (high - low) / (2.0 ** settings["bits"] - 1)
    return OPS["fake_quant"].apply(x, low, high, **settings) + step / 3


def _uncut_grid(low: float, high: float, **settings: Any) -> OpGrid:
    return replace(OPS["fake_quant"].grid(low, high, **settings), clamps=False)


_FAKE = OPS["fake_quant"]
ROUNDS_DOWN = replace(_FAKE, apply=_cut_off)
UNCUT = replace(_FAKE, apply=_uncut, grid=_uncut_grid)
FEWER = replace(_FAKE, apply=_one_code_less(_FAKE.apply), grid=_one_code_less(_FAKE.grid))
SHIFTED = replace(_FAKE, apply=_shifted)
