"""Ranges that an op measured while training, fixed: the same ops, on given ends."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import example, given
from hypothesis import strategies as st
from quantize_strategies import PROFILE

from qbench.quantize.quantizer import CURRENT, FIXED, MOVING, OWN, Quantizer

ROUNDINGS = {"half_to_even": "HALF_TO_EVEN", "half_up": "HALF_UP"}


def raw(x, bits, signed, rounding):
    """TensorFlow's own op, which measures the range of x."""
    return tf.raw_ops.QuantizeAndDequantizeV2(
        input=x,
        input_min=0.0,
        input_max=0.0,
        signed_input=signed,
        num_bits=bits,
        range_given=False,
        round_mode=ROUNDINGS[rounding],
    ).numpy()


@st.composite
def cases(draw):
    """(x, bits) with a positive value; most have values exactly between two codes."""
    bits = draw(st.integers(2, 16))
    whole = st.integers(-(2**bits), 2**bits)
    if draw(st.integers(0, 3)):
        # Steps are a power of 2, so that a code and a half is a float32: the largest is `codes`.
        signed = draw(st.booleans())
        codes = 2 ** (bits - signed) - 1
        step = 2.0 ** draw(st.integers(-12, 6))
        halves = st.integers(-codes, codes - 1).map(lambda code: (code + 0.5) * step)
        values = draw(st.lists(halves, min_size=1, max_size=20))
        return np.float32([*values, codes * step]), bits
    # Any maximum, and halves of steps that had to be rounded.
    high = draw(st.floats(2**-10, 1024, width=32))
    step = np.float32(high) / np.float32(2**bits - 1)
    codes = draw(st.lists(whole, min_size=1, max_size=20))
    return np.float32([*(min((code + 0.5) * step, high) for code in codes), high]), bits


@pytest.mark.parametrize("rounding", ROUNDINGS)
@pytest.mark.parametrize("signed", [True, False])
@PROFILE
@given(case=cases())
@example(case=(np.float32([-32, 32, 64]), 3))
@example(case=(np.float32([0.5, 1.5, 2.5, -0.5, -1.5, 7.0]), 3))
def test_on_its_own_range_a_fixed_op_computes_what_the_op_does(rounding, signed, case):
    """To the last bit, ties included; unsigned codes let negative values through, as the op."""
    x, bits = tf.constant(case[0]), case[1]
    fixed = Quantizer("qdq_v2", bits, signed, rounding, OWN).with_fixed_range()
    assert fixed.source == FIXED
    got = fixed(x, tf.reduce_min(x), tf.reduce_max(x)).numpy()
    np.testing.assert_array_equal(got, raw(x, bits, signed, rounding))


@pytest.mark.parametrize(
    ("rounding", "expected"),
    [("half_to_even", [-2, -2, 0, 0, 2, 2, 7]), ("half_up", [-2, -1, 0, 1, 2, 3, 7])],
)
@pytest.mark.parametrize("low", [-2.5, -7.0])
def test_ties_go_where_the_rounding_says(rounding, expected, low):
    """Steps of 1, worked out by hand; negative values take the unsigned op's own path."""
    x = tf.constant([-2.5, -1.5, -0.5, 0.5, 1.5, 2.5, 7.0])
    fixed = Quantizer("qdq_v2", 3, False, rounding, OWN).with_fixed_range()
    np.testing.assert_array_equal(fixed(x, tf.constant(low), tf.constant(7.0)), expected)
    signed = Quantizer("qdq_v2", 4, True, rounding, OWN).with_fixed_range()
    np.testing.assert_array_equal(signed(x, tf.constant(low), tf.constant(7.0)), expected)


@pytest.mark.parametrize("low", [0.0, -2.0])
def test_beyond_the_range_values_are_cut_at_its_ends(low):
    quantizer = Quantizer("qdq_v2", 8, False, "half_to_even", OWN).with_fixed_range()
    got = quantizer(tf.constant([-9.0, -1.0, 0.3, 9.0]), tf.constant(low), tf.constant(2.55))
    np.testing.assert_allclose(got, [low, max(-1.0, low), 0.3, 2.55], rtol=1e-6)


def test_beyond_the_range_signed_values_take_the_last_codes():
    """Codes -8 .. 7 in steps of 1, of the side that needs the larger ones."""
    quantizer = Quantizer("qdq_v2", 4, True, "half_to_even", OWN).with_fixed_range()
    got = quantizer(tf.constant([-20.0, -3.2, 6.7, 20.0]), tf.constant(-2.0), tf.constant(7.0))
    np.testing.assert_array_equal(got, [-8.0, -3.0, 7.0, 7.0])


def test_a_range_of_positive_values_holds_0():
    quantizer = Quantizer("qdq_v2", 3, False, "half_to_even", OWN).with_fixed_range()
    got = quantizer(tf.constant([-1.0, 0.25, 3.5]), tf.constant(0.5), tf.constant(1.75))
    np.testing.assert_array_equal(got, [0.0, 0.25, 1.75])


def test_a_range_without_positive_values_leaves_values_as_they_are():
    quantizer = Quantizer("qdq_v2", 8, False, "half_to_even", OWN).with_fixed_range()
    x = [-1.5, -0.25, 0.0]
    np.testing.assert_array_equal(quantizer(tf.constant(x), tf.constant(-2.0), tf.constant(0.0)), x)


def test_a_range_of_nothing_but_0_gives_0():
    quantizer = Quantizer("qdq_v2", 8, False, "half_to_even", OWN).with_fixed_range()
    got = quantizer(tf.constant([-1.0, 0.0, 3.0]), tf.constant(0.0), tf.constant(0.0))
    np.testing.assert_array_equal(got, [0.0, 0.0, 0.0])


@pytest.mark.parametrize("source", [CURRENT, MOVING])
def test_a_range_that_was_given_comes_from_the_averages_and_still_clamps(source):
    fixed = Quantizer("qdq_v2", 8, False, "half_to_even", source).with_fixed_range()
    assert fixed.source == MOVING
    got = fixed(tf.constant([-1.0, 0.5, 9.0]), tf.constant(-2.0), tf.constant(2.55))
    np.testing.assert_allclose(got, [0.0, 0.5, 2.55], rtol=1e-6)


@pytest.mark.parametrize("source", [OWN, CURRENT, MOVING, FIXED])
def test_ends_that_are_given_count_whatever_the_source(source):
    """Of 4 bits codes -8 .. 7 in steps of 1; x's own range would have finer ones."""
    quantizer = Quantizer("qdq_v2", 4, True, "half_to_even", source)
    got = quantizer.given(tf.constant([-0.6, 0.4, 9.0]), tf.constant(-7.0), tf.constant(7.0))
    np.testing.assert_array_equal(got, [-1.0, 0.0, 7.0])
