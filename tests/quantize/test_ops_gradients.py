from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from quantize_calls import constant

from qbench.quantize.ops import OPS
from qbench.quantize.ranges import minimum_and_maximum

X = [-3.0, -1.0, -0.2, 0.0, 0.4, 1.0, 5.0]
UPSTREAM = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]


def gradients(op, x, low, high, **settings):
    x, low, high = constant(x), constant(low), constant(high)
    chosen = {"bits": 8, "signed": True, "rounding": "half_to_even", "range_given": True}
    with tf.GradientTape() as tape:
        tape.watch([x, low, high])
        y = OPS[op].apply(x, low, high, **{**chosen, **settings})
        total = tf.reduce_sum(y * constant(UPSTREAM))
    return tape.gradient(total, [x, low, high])


@pytest.mark.parametrize("given", [True, False], ids=["range_given", "measured"])
@pytest.mark.parametrize("signed", [True, False], ids=["signed", "unsigned"])
@pytest.mark.parametrize("rounding", ["half_to_even", "half_up"])
@pytest.mark.parametrize("bits", [2, 8, 32])
def test_qdq_v2_passes_every_gradient(given, signed, rounding, bits):
    # Also outside [-1, 1], and with unsigned codes for negatives.
    settings = {"bits": bits, "signed": signed, "rounding": rounding, "range_given": given}
    to_x, to_low, to_high = gradients("qdq_v2", X, -1.0, 1.0, **settings)
    np.testing.assert_array_equal(to_x, UPSTREAM)
    assert to_low is None and to_high is None


@pytest.mark.parametrize(
    ("low", "high", "inside"),
    [
        # Step 2.1/255, zero point round(133.57) = 134: nudged to [-1.1035, 0.9965], 1 is outside.
        pytest.param(-1.1, 1.0, [0, 1, 1, 1, 1, 0, 0], id="nudged_down"),
        # Zero point round(121.43) = 121: nudged to [-0.9965, 1.1035], -1 is outside.
        pytest.param(-1.0, 1.1, [0, 0, 1, 1, 1, 1, 0], id="nudged_up"),
        # Zero point 85, so not nudged: [-1, 2].
        pytest.param(-1.0, 2.0, [0, 1, 1, 1, 1, 1, 0], id="not_nudged"),
        # Widened to [0, 1]; its ends count as inside.
        pytest.param(0.3, 1.0, [0, 0, 0, 1, 1, 1, 0], id="all_positive"),
        pytest.param(-1.0, -0.3, [0, 1, 1, 1, 0, 0, 0], id="all_negative"),
    ],
)
def test_fake_quant_passes_gradients_inside_its_range(low, high, inside):
    to_x, to_low, to_high = gradients("fake_quant", X, low, high)
    np.testing.assert_array_equal(to_x, np.multiply(UPSTREAM, inside))
    assert to_low is None and to_high is None


def test_tensorflows_fake_quant_alone_sends_gradients_into_the_range():
    # What the test above guards against: 1 from below, 6 + 7 from above [-1.1035, 0.9965].
    x, low, high = constant(X), constant(-1.1), constant(1.0)
    with tf.GradientTape() as tape:
        tape.watch([low, high])
        y = tf.raw_ops.FakeQuantWithMinMaxVars(inputs=x, min=low, max=high, num_bits=8)
        total = tf.reduce_sum(y * constant(UPSTREAM))
    np.testing.assert_array_equal(tape.gradient(total, [low, high]), [1, 13])


@pytest.mark.parametrize("op", ["qdq_v2", "fake_quant"])
def test_measured_ends_carry_no_gradient(op):
    # With the range taken from x itself, x's gradient is still that of the op alone.
    x = constant(X)
    with tf.GradientTape() as tape:
        tape.watch(x)
        low, high = minimum_and_maximum(x)
        chosen = {"bits": 8, "signed": True, "rounding": "half_to_even", "range_given": True}
        total = tf.reduce_sum(OPS[op].apply(x, low, high, **chosen) * constant(UPSTREAM))
    # fake_quant: step 8/255, zero point round(95.625) = 96, so the range is [-3.01, 4.99].
    expected = UPSTREAM if op == "qdq_v2" else [*UPSTREAM[:-1], 0]
    np.testing.assert_array_equal(tape.gradient(total, x), expected)
