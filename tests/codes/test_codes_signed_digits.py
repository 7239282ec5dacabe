"""Canonical signed digits against brute force."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from qbench.base.errors import QbenchError
from qbench.codes.signed_digits import (
    counted,
    digits,
    fixed_point,
    non_zero_bits,
    non_zero_digits,
    truncated,
)


def test_digits_by_hand():
    # 7 = 8 - 1, 11 = 8 + 4 - 1 = 16 - 4 - 1, 23 = 32 - 8 - 1, 5 = 4 + 1.
    plus, minus = digits(np.array([7, 11, 23, 5, -7, 0]))
    assert plus.tolist() == [8, 16, 32, 5, 1, 0]
    assert minus.tolist() == [1, 5, 9, 0, 8, 0]
    assert non_zero_digits(np.array([7, 11, 23, 5, -7, 0])).tolist() == [2, 3, 3, 2, 2, 0]
    assert non_zero_bits(np.array([7, 11, 23, 5, -7, 0])).tolist() == [3, 3, 4, 2, 3, 0]


def fewest_digits(bits):
    """By brute force: the fewest signed powers of two that add up to each number below 2^bits."""
    most = 2**bits
    powers = [sign * 2**k for k in range(bits + 1) for sign in (1, -1)]
    fewest, reached = {0: 0}, {0}
    while reached:
        sums = {x + power for x in reached for power in powers}
        reached = {x for x in sums if abs(x) <= 2 * most and x not in fewest}
        number = max(fewest.values()) + 1
        fewest |= dict.fromkeys(reached, number)
    return [fewest[x] for x in range(most)]


def test_twelve_bits_have_the_fewest_digits():
    every = np.arange(2**12)
    assert non_zero_digits(every).tolist() == fewest_digits(12)
    np.testing.assert_array_equal(non_zero_digits(-every), non_zero_digits(every))


WHOLE = arrays(np.int64, st.integers(1, 20), elements=st.integers(-(2**40), 2**40))


@given(numbers=WHOLE)
def test_the_value_is_preserved_and_no_two_neighbours_are_digits(numbers):
    plus, minus = digits(numbers)
    np.testing.assert_array_equal(plus - minus, numbers)
    assert not (plus & minus).any()
    both = plus | minus
    assert not (both & (both >> 1)).any()


def slow_truncated(number, most):
    """The recurrence from the lowest digit up, and its highest digits."""
    found, place = [], 0
    while number:
        if number % 2:
            digit = 2 - number % 4
            found.append(digit * 2**place)
            number -= digit
        number //= 2
        place += 1
    return sum(found[-most:])


@given(numbers=WHOLE, most=st.integers(1, 25))
def test_the_highest_digits(numbers, most):
    expected = [slow_truncated(int(number), most) for number in numbers]
    assert truncated(numbers, most).tolist() == expected


@given(
    weights=arrays(np.float32, st.integers(1, 9), elements=st.floats(-1000, 1000, width=32)),
    bits=st.integers(2, 32),
)
def test_fixed_point(weights, bits):
    found = fixed_point(weights, bits)
    most = 2 ** (bits - 1) - 1
    assert np.abs(found.integers).max() <= most
    unit = np.ldexp(1.0, -found.fraction)
    assert (np.abs(found.values - weights) <= unit / 2).all()
    # With one more bit below the point the largest weight would not fit.
    if weights.any():
        assert np.rint(np.abs(weights.astype(float)).max() * 2 / unit) > most


def test_counts_and_partial_products():
    # 16 bits with the largest weight 23/32: 15 bits below the point, so 7 is 7 * 2^10 and so on.
    found = counted(np.array([7, 11, 23, 5, -7, 0]) / 32)
    assert found.binary.tolist() == [1, 0, 1, 3, 1] + [0] * 11
    assert found.signed.tolist() == [1, 0, 3, 2] + [0] * 12
    assert found.partial_products() == 12
    assert [found.partial_products(most) for most in (1, 2, 3, 4)] == [5, 10, 12, 12]
    assert found.saved(1) == pytest.approx(7 / 12)
    assert counted(np.zeros(3)).saved(1) == 0


def test_normal_weights_need_few_digits():
    weights = np.random.default_rng(0).normal(size=20_000)
    found, values = counted(weights), fixed_point(weights)
    # About a third of the canonical digits of a random number are not 0, and half of its bits.
    assert (found.signed * np.arange(16)).sum() < 0.8 * (found.binary * np.arange(16)).sum()
    errors = [np.abs(truncated(values.integers, k) - values.integers).sum() for k in range(1, 9)]
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] == 0


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        (lambda: truncated(np.ones(1), 0), "digits=0 is not allowed: expected a whole number of"),
        (lambda: fixed_point(np.ones(1), 1), "bits=1 is not allowed: expected a whole number fro"),
        (lambda: fixed_point(np.array([np.inf])), "kernel=values that are not finite is not all"),
    ],
)
def test_what_has_no_digits_is_refused(wrong, sentence):
    with pytest.raises(QbenchError, match=sentence):
        wrong()
