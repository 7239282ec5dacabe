"""Code books of powers of two: their values, and which value a weight gets."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qbench.quantize.powers import LEAST, bottom_exponent, levels, to_powers, top_exponent

# By bits, the exponents of a kernel whose largest magnitude is 1: n1 = floor(log2(4/3)) = 0.
SMALLEST = {2: 0, 3: -1, 4: -3, 5: -7, 6: -15, 7: -31, 8: -63, 9: -127}


@pytest.mark.parametrize(("bits", "smallest"), SMALLEST.items())
def test_the_code_book_of_each_number_of_bits(bits: int, smallest: int) -> None:
    assert (top_exponent(1.0), bottom_exponent(0, bits)) == (0, smallest)
    least = max(smallest, -126)  # 2^-127 is no normal float32
    above = [2.0**exponent for exponent in range(least, 1)]
    book = levels(0, bits)
    assert book.tolist() == [-one for one in reversed(above)] + [0.0] + above
    assert book.dtype == np.float32 and len(book) <= 2**bits
    assert len(book) == 2 ** (bits - 1) + (1 if bits < 9 else -1)


def test_code_books_by_hand() -> None:
    assert levels(-1, 2).tolist() == [-0.5, 0, 0.5]
    assert levels(-1, 3).tolist() == [-0.5, -0.25, 0, 0.25, 0.5]
    assert levels(1, 4).tolist() == [-2, -1, -0.5, -0.25, 0, 0.25, 0.5, 1, 2]


@pytest.mark.parametrize(
    ("largest", "top"),
    [
        *(
            (0.75, 0),
            (math.nextafter(0.75, 0), -1),
            (1.0, 0),
            (1.5, 1),
            (math.nextafter(1.5, 0), 0),
        ),
        *((4.0, 2), (0.1, -3), (3 * 2.0**-20, -18), (2.0**-130, -130), (0.0, 0)),
    ],
)
def test_the_largest_exponent_is_exact(largest: float, top: int) -> None:
    """n1 = floor(log2(4 m / 3)): 2^n1 is the power of two that is nearest to the largest weight."""
    assert top_exponent(largest) == top
    if largest:
        third = Fraction(largest) * 4 / 3
        assert Fraction(2) ** top <= third < Fraction(2) ** (top + 1)


def test_equation_2_with_its_slips_corrected() -> None:
    """Codes 2^-2 .. 2^1 and 0, for every weight at the end of an interval and just below it."""
    taken = {0.125: 0.25, 0.375: 0.5, 0.75: 1.0, 1.5: 2.0, 3.0: 2.0, 100.0: 2.0}
    before = 0.0
    for end, code in taken.items():
        found = to_powers([math.nextafter(end, 0), end, -end, -math.nextafter(end, 0)], 1, 4)
        assert found.tolist() == [before, code, -code, -before]
        before = code


@given(
    bits=st.integers(2, 9),
    top=st.integers(-20, 20),
    weights=st.lists(st.floats(-1e6, 1e6, width=32), min_size=1),
)
def test_a_weight_gets_the_nearest_code(bits: int, top: int, weights: list[float]) -> None:
    """In exact arithmetic; a weight in the middle of two codes gets the larger one."""
    book = levels(top, bits)
    for weight, code in zip(weights, to_powers(weights, top, bits).tolist(), strict=True):
        assert code in book
        distances = {abs(Fraction(weight) - Fraction(one)) for one in book.tolist()}
        own = abs(Fraction(weight) - Fraction(code))
        if bottom_exponent(top, bits) >= LEAST:
            assert own == min(distances)
            ties = [one for one in book.tolist() if abs(Fraction(weight) - Fraction(one)) == own]
            assert abs(code) == max(map(abs, ties))
        assert code * weight >= 0


@given(bits=st.integers(2, 9), weight=st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_codes_stay_and_the_largest_weight_is_not_cut(bits: int, weight: float) -> None:
    top = top_exponent(abs(weight))
    book = levels(top, bits)
    np.testing.assert_array_equal(to_powers(book, top, bits), book)
    if abs(weight) >= 2.0**-120:
        assert abs(to_powers(weight, top, bits)) == 2.0**top


def test_values_that_are_not_finite_are_not_hidden() -> None:
    found = to_powers([np.nan, np.inf, -np.inf, 0.3], 0, 4)
    assert np.isnan(found[0]) and found[1:].tolist() == [np.inf, -np.inf, 0.25]


def test_below_the_normal_range_codes_act_as_zero() -> None:
    found = to_powers([2.0**-126, 0.75 * 2.0**-126, 0.74 * 2.0**-126, 2.0**-127], 0, 9)
    assert found.tolist() == [2.0**-126, 2.0**-126, 0, 0]
    assert not to_powers([2.0**-140], -140, 2).any() and levels(-140, 2).tolist() == [0]
