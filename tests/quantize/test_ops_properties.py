from __future__ import annotations

import numpy as np
import quantize_reference as reference
from hypothesis import assume, given
from hypothesis import strategies as st
from quantize_calls import fake_quant, qdq_v2
from quantize_strategies import PROFILE, fake_cases, few_bits, qdq_cases, roundings, values


def grid(x, low, high, chosen):
    ends = (low, high) if chosen["range_given"] else (x.min(), x.max())
    return reference.qdq_grid(*ends, chosen["bits"], chosen["signed"])


def assert_within_half_a_step(x, y, step):
    # The product before rounding is off by at most one unit in the last place, as is the one after.
    tolerance = 2 * np.spacing(np.abs(x)) + 1e-6 * step
    assert np.all(np.abs(x.astype(np.float64) - y) <= step / 2 + tolerance)


@PROFILE
@given(qdq_cases())
def test_qdq_v2_has_at_most_two_to_the_bits_levels(case):
    x, low, high, chosen = case
    # The exception: unsigned codes measured by the op let negatives through.
    if not chosen["signed"] and not chosen["range_given"]:
        x = np.abs(x)
    levels = np.unique(qdq_v2(x, low, high, **chosen))
    assert len(levels) <= 2 ** chosen["bits"]
    scale, *_ = grid(x, low, high, chosen)
    codes = np.rint(levels * scale)
    smallest, largest = reference.codes(chosen["bits"], chosen["signed"])
    assert smallest <= codes.min() and codes.max() <= largest


def test_unsigned_without_a_range_has_more_levels():
    x = np.linspace(-1, 1, 1001)
    assert len(np.unique(qdq_v2(x, bits=2, signed=False))) == 7  # -3/3 .. 3/3 in place of 4


@PROFILE
@given(fake_cases())
def test_fake_quant_has_at_most_two_to_the_bits_levels(case):
    x, low, high, bits = case
    dense = np.linspace(2 * min(low, 0), 2 * max(high, 0), 3 * 2**bits).astype(np.float32)
    assert len(np.unique(fake_quant(x, low, high, bits=bits))) <= 2**bits
    assert len(np.unique(fake_quant(dense, low, high, bits=bits))) == 2**bits


@PROFILE
@given(qdq_cases(range_given=True))
def test_qdq_v2_over_a_given_range_is_idempotent(case):
    x, low, high, chosen = case
    once = qdq_v2(x, low, high, **chosen)
    np.testing.assert_array_equal(qdq_v2(once, low, high, **chosen), once)


@PROFILE
@given(qdq_cases(range_given=False))
def test_qdq_v2_over_its_own_range_is_idempotent_to_the_last_place(case):
    # The end that sets the scale may come back one unit off, and the step with it.
    x, low, high, chosen = case
    once = qdq_v2(x, low, high, **chosen)
    assert np.all(reference.ulps(qdq_v2(once, low, high, **chosen), once) <= 1)


@PROFILE
@given(fake_cases())
def test_fake_quant_is_idempotent(case):
    x, low, high, bits = case
    once = fake_quant(x, low, high, bits=bits)
    np.testing.assert_array_equal(fake_quant(once, low, high, bits=bits), once)


@PROFILE
@given(qdq_cases())
def test_qdq_v2_is_monotone(case):
    x, low, high, chosen = case
    assert np.all(np.diff(qdq_v2(np.sort(x, axis=None), low, high, **chosen)) >= 0)


@PROFILE
@given(fake_cases())
def test_fake_quant_is_monotone(case):
    x, low, high, bits = case
    assert np.all(np.diff(fake_quant(np.sort(x, axis=None), low, high, bits=bits)) >= 0)


@PROFILE
@given(qdq_cases())
def test_qdq_v2_keeps_zero_and_is_finite(case):
    x, low, high, chosen = case
    y = qdq_v2(np.append(x, np.float32(0)), low, high, **chosen)
    assert y[-1] == 0
    assert np.all(np.isfinite(y))


@PROFILE
@given(fake_cases())
def test_fake_quant_keeps_zero_and_is_finite(case):
    x, low, high, bits = case
    y = fake_quant(np.append(x, np.float32(0)), low, high, bits=bits)
    assert y[-1] == 0
    assert np.all(np.isfinite(y))


@PROFILE
@given(qdq_cases())
def test_qdq_v2_errs_by_half_a_step_inside_its_range(case):
    x, low, high, chosen = case
    y = qdq_v2(x, low, high, **chosen)
    _, step, widened_low, widened_high = grid(x, low, high, chosen)
    inside = (x >= widened_low) & (x <= widened_high)
    # Without a clamp there is no outside, not even for unsigned codes and negative values.
    inside |= not chosen["range_given"]
    assert_within_half_a_step(x[inside], y[inside], step)
    assert np.all(y[x > widened_high] == widened_high) or not chosen["range_given"]
    assert np.all(y[x < widened_low] == widened_low) or not chosen["range_given"]


@PROFILE
@given(fake_cases())
def test_fake_quant_errs_by_half_a_step_inside_its_range(case):
    x, low, high, bits = case
    y = fake_quant(x, low, high, bits=bits)
    step, nudged_low, nudged_high = reference.fake_grid(low, high, bits)
    # A zero point near a tie may be nudged the other way; the range then lies one step beside.
    assume(abs((-min(low, 0) / step) % 1 - 0.5) > 1e-3)
    inside = (x >= nudged_low) & (x <= nudged_high)
    # Rounding works on x - nudged_low, so its error scales with the range.
    shift = 2 * np.spacing(np.float32(nudged_high - nudged_low))
    error = np.abs(x[inside].astype(np.float64) - y[inside])
    assert np.all(error <= step / 2 + shift)
    np.testing.assert_allclose(y[x > nudged_high], nudged_high, rtol=1e-6)
    np.testing.assert_allclose(y[x < nudged_low], nudged_low, rtol=1e-6)


@PROFILE
@given(values.filter(bool), few_bits, roundings)
def test_qdq_v2_keeps_a_constant(value, bits, rounding):
    x = np.full((2, 3), value)
    assert np.all(reference.ulps(qdq_v2(x, bits=bits, rounding=rounding), x) <= 1)
    if value > 0:
        y = qdq_v2(x, bits=bits, rounding=rounding, signed=False)
        assert np.all(reference.ulps(y, x) <= 1)


@PROFILE
@given(values.filter(bool), few_bits)
def test_fake_quant_keeps_a_constant(value, bits):
    x = np.full((2, 3), value)
    assert np.all(reference.ulps(fake_quant(x, value, value, bits=bits), x) <= 1)


@PROFILE
@given(st.integers(2, 61), st.booleans(), roundings, st.booleans())
def test_zeros_stay_zeros_at_every_width(bits, signed, rounding, given_range):
    # One signed bit is left out: its largest code is 0, see the golden values.
    y = qdq_v2(np.zeros(5), bits=bits, signed=signed, rounding=rounding, range_given=given_range)
    np.testing.assert_array_equal(y, 0)
