"""Ranges that an op measured while training, fixed: the same ops, on given ends."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from qbench.deploy.grids import symmetric_scale
from qbench.quantize.quantizer import FIXED, OWN, Quantizer

VALUES = st.lists(st.floats(-8, 8, width=32), min_size=2, max_size=20)


@pytest.mark.parametrize("rounding", ["half_to_even", "half_up"])
@pytest.mark.parametrize("signed", [True, False])
@given(values=VALUES, bits=st.integers(2, 8))
def test_on_its_own_range_a_fixed_op_computes_what_the_op_does(rounding, signed, values, bits):
    """Also of negative values and unsigned codes, which the op lets through."""
    x = tf.constant([*values, 1.0])  # with a side that has codes
    own = Quantizer("qdq_v2", bits, signed, rounding, OWN)
    expected = own(x, 0.0, 0.0).numpy()
    fixed = own.with_fixed_range()
    assert fixed.source == FIXED
    got = fixed(x, tf.reduce_min(x), tf.reduce_max(x)).numpy()
    step = symmetric_scale(min(values), max(*values, 1.0), bits, signed)
    # A tie may fall the other way, where steps times codes have last places of their own.
    ties = np.abs(np.abs(np.asarray(x) / step % 1) - 0.5) < 1e-4
    np.testing.assert_allclose(got[~ties], expected[~ties], rtol=1e-5, atol=1e-6)
    assert np.abs(got - expected).max() <= 1.01 * step


def test_beyond_the_range_values_are_cut_at_its_ends():
    quantizer = Quantizer("qdq_v2", 8, False, "half_to_even", OWN).with_fixed_range()
    got = quantizer(tf.constant([-9.0, -1.0, 0.3, 9.0]), tf.constant(-2.0), tf.constant(2.55))
    np.testing.assert_allclose(got, [-2.0, -1.0, 0.3, 2.55], rtol=1e-6)


def test_a_range_without_positive_values_leaves_values_as_they_are():
    quantizer = Quantizer("qdq_v2", 8, False, "half_to_even", OWN).with_fixed_range()
    x = [-1.5, -0.25, 0.0]
    np.testing.assert_array_equal(quantizer(tf.constant(x), tf.constant(-2.0), tf.constant(0.0)), x)
