"""The fixed-point arithmetic of the integer reference, against hand-computed and exact values."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qbench.base.errors import QbenchError
from qbench.deploy.integer import (
    Multiplier,
    RealMultiplier,
    doubling_high_multiply,
    rounding_shift,
)
from qbench.deploy.integer.arithmetic import Clamp, divide
from qbench.deploy.integer.node import round_away

LOWEST, HIGHEST = -(2**31), 2**31 - 1
int32s = st.integers(LOWEST, HIGHEST) | st.integers(-300, 300)
reals = st.floats(2.0**-45, 2.0**29) | st.sampled_from([0.5, 0.25, 1.0, 1.5, 2.0**-20, 3 * 2.0**-9])


def array(*values):
    return np.array(values, np.int32)


def up(value: Fraction) -> int:
    """The nearest integer, ties to +infinity."""
    return math.floor(value + Fraction(1, 2))


def away(value: Fraction) -> int:
    """The nearest integer, ties away from zero."""
    return up(value) if value >= 0 else -up(-value)


DOUBLING = [
    # a, b, round(a * b / 2**31)
    (1, 2**30, 1),  # 0.5
    (-1, 2**30, 0),  # -0.5 goes up
    (3, 2**30, 2),  # 1.5
    (-3, 2**30, -1),  # -1.5 goes up
    (-3, 2**30 + 1, -2),  # a little below -1.5
    (5, HIGHEST, 5),
    (HIGHEST, HIGHEST, 2**31 - 2),
    (LOWEST, HIGHEST, -HIGHEST),
    (LOWEST, LOWEST, HIGHEST),  # 2**31 saturates
]


@pytest.mark.parametrize(("a", "b", "product"), DOUBLING)
def test_a_tie_of_the_doubling_high_multiply_goes_up(a, b, product):
    assert doubling_high_multiply(array(a), array(b)) == product


SHIFTS = [
    # x, exponent, round(x / 2**exponent)
    (-12, 3, -2),  # -1.5: the example of Jacob et al.'s appendix B
    (12, 3, 2),
    (-1, 1, -1),  # -0.5
    (1, 1, 1),
    (-11, 3, -1),
    (-13, 3, -2),
    (7, 0, 7),
    (-7, 0, -7),
    (LOWEST, 31, -1),
    (HIGHEST, 31, 1),
    (2**30, 31, 1),
    (-(2**30), 31, -1),
    (2**30 - 1, 31, 0),
]


@pytest.mark.parametrize(("x", "exponent", "quotient"), SHIFTS)
def test_a_tie_of_the_shift_goes_away_from_zero(x, exponent, quotient):
    assert rounding_shift(array(x), array(exponent)) == quotient


@given(int32s, int32s)
def test_the_doubling_high_multiply_is_the_nearest_integer(a, b):
    exact = min(up(Fraction(a * b, 2**31)), HIGHEST)
    made = doubling_high_multiply(array(a), array(b))
    assert made == exact and made.dtype == np.int32


@given(int32s, st.integers(0, 31))
def test_the_shift_is_the_nearest_integer(x, exponent):
    made = rounding_shift(array(x), array(exponent))
    assert made == away(Fraction(x, 2**exponent)) and made.dtype == np.int32


MULTIPLIERS = [
    # M, value, shift
    (0.5, 2**30, 0),
    (1.0, 2**30, 1),
    (0.75, 3 * 2**29, 0),
    (3.0, 3 * 2**29, 2),
    (0.1, 1717986918, -3),  # 0.8 * 2**31 = 1717986918.4
    (1 - 2.0**-40, 2**30, 1),  # rounds to 1
    (2.0**-32, 2**30, -31),
    (2.0**-33, 0, 0),
    (2.0**29, 2**30, 30),
]


@pytest.mark.parametrize(("real", "value", "shift"), MULTIPLIERS)
def test_multipliers_by_hand(real, value, shift):
    made = Multiplier.of([real])
    assert (made.value.tolist(), made.shift.tolist()) == ([value], [shift])
    assert made.value.dtype == made.shift.dtype == np.int32


@given(reals)
def test_a_multiplier_is_as_near_as_31_bits_allow(real):
    made = Multiplier.of([real])
    (value,), (shift,) = made.value.tolist(), made.shift.tolist()
    assert value == 0 or 2**30 <= value < 2**31
    error = abs(Fraction(value) * Fraction(2) ** (shift - 31) - Fraction(real))
    assert error <= Fraction(real) / 2**31 or (value == 0 and real < 2.0**-32)


def test_scales_too_far_apart_are_refused():
    with pytest.raises(QbenchError, match=r"too far apart: a multiplier of 1\.07374e"):
        Multiplier.of([1.0, 2.0**30])


def test_products_by_hand():
    # -12 * 2**30 / 2**31 = -6, which the shift takes to -1.5 and away from zero.
    assert Multiplier.of([0.125]).times(array(-12)) == -2
    # -3 / 2 = -1.5 is a tie of the multiply, which goes up.
    assert Multiplier.of([0.5]).times(array(-3)) == -1
    # By two roundings: -2.5 -> -2 and -1; -3.5 -> -3 and -1.5 -> -2; -3 and -1.5 -> -2; 3 and 2.
    assert Multiplier.of([0.25]).times(array(-5, -7, -6, 6)).tolist() == [-1, -2, -2, 2]
    # 2.49 is nearest to 2, but 9.96 -> 10 and 10 / 4 = 2.5 -> 3: what rounding twice costs.
    assert Multiplier.of([0.249]).times(array(10)) == 3
    # A positive shift multiplies first.
    assert Multiplier.of([3.0]).times(array(-7)) == -21
    assert Multiplier.of([0.5, 2.0]).times(array(3, 3)).tolist() == [2, 6]


@given(int32s, reals)
def test_a_product_has_exactly_two_roundings(x, real):
    made = Multiplier.of([real])
    (value,), (shift,) = made.value.tolist(), made.shift.tolist()
    shifted = (x * 2 ** max(shift, 0) + 2**31) % 2**32 - 2**31  # an int32 wraps around
    exact = away(Fraction(up(Fraction(shifted * value, 2**31)), 2 ** max(-shift, 0)))
    assert made.times(array(x)) == exact


@given(int32s, reals | st.floats(2.0**-60, 2.0**40))
def test_a_real_multiplier_rounds_as_ieee_and_c_do(x, real):
    exact = away(Fraction(x * real))  # the float product is exact or rounded once to 53 bits
    assert RealMultiplier.of([real]).times(array(x)) == max(min(exact, 2**30), -(2**30))


@given(st.integers(1, 2**20), st.integers(-500, 500), st.integers(-10, 10))
def test_a_real_multiplier_near_ties(divisor, count, shift):
    """Products within a unit in the last place of k + 1/2."""
    real = 2.0**shift / (2 * divisor)
    x = array(*(divisor * (2 * count + 1) + near for near in (-1, 0, 1)))
    exact = [away(Fraction(int(each) * real)) for each in x]
    expected = np.clip(exact, -(2**30), 2**30)
    np.testing.assert_array_equal(RealMultiplier.of([real]).times(x), expected)


def test_a_float_product_may_round_onto_a_tie():
    # 3 * (1 / 6) is a little below 1/2; as a float64 it is 1/2, and goes to 1.
    assert Fraction(1 / 6) * 3 < Fraction(1, 2)
    assert RealMultiplier.of([1 / 6]).times(array(3, -3)).tolist() == [1, -1]


@given(st.integers(-(2**20), 2**20), st.integers(1, 2**10))
def test_averages_are_the_nearest_integers(total, count):
    assert divide(array(total), array(count)) == away(Fraction(total, count))


def test_averages_by_hand():
    assert divide(array(5, -5, 6, -6, 7), array(2, 2, 4, 4, 3)).tolist() == [3, -3, 2, -2, 2]


def test_casts_saturate():
    values = array(LOWEST, -129, -128, -5, 127, 128, HIGHEST)
    assert Clamp()(values).tolist() == [-128, -128, -128, -5, 127, 127, 127]
    assert Clamp(-5, 9)(values).tolist() == [-5, -5, -5, -5, 9, 9, 9]
    assert Clamp()(values).dtype == np.int8


def test_ends_of_activations_round_away_from_zero():
    assert [round_away(x) for x in (0.5, -0.5, 1.5, 2.4, -2.5, 0.0)] == [1, -1, 2, 2, -3, 0]
