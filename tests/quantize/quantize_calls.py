"""Short ways to call the ops under test."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from qbench.quantize.ops import OPS


def constant(x):
    return tf.constant(x, tf.float32)


def qdq_v2(
    x, low=0.0, high=0.0, *, bits=8, signed=True, rounding="half_to_even", range_given=False
):
    y = OPS["qdq_v2"].apply(
        constant(x),
        constant(low),
        constant(high),
        bits=bits,
        signed=signed,
        rounding=rounding,
        range_given=range_given,
    )
    return y.numpy()


def fake_quant(x, low, high, *, bits=8):
    y = OPS["fake_quant"].apply(
        constant(x),
        constant(low),
        constant(high),
        bits=bits,
        signed=True,
        rounding="half_to_even",
        range_given=True,
    )
    return y.numpy()


def assert_same(actual, expected):
    """Equal but for the last place of float32: expected values are decimals worked out by hand."""
    np.testing.assert_allclose(actual, np.float32(expected), rtol=1.2e-7, atol=0)
