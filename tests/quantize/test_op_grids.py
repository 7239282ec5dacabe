"""The grid that each op says it has, against the values that it gives."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import example, given
from hypothesis import strategies as st
from quantize_strategies import PROFILE

from qbench.base.errors import QbenchError
from qbench.quantize.ops import OPS, OpGrid
from qbench.quantize.quantizer import CURRENT, OWN, Quantizer

# Ranges with a positive side, which every op has codes for.
ENDS = st.tuples(st.floats(-8, 0, width=32), st.floats(2**-4, 8, width=32))


@pytest.mark.parametrize("op", OPS.names())
@pytest.mark.parametrize("signed", [True, False])
@pytest.mark.parametrize("narrow", [True, False])
@PROFILE
@given(ends=ENDS, bits=st.integers(2, 10))
# Where the code of 0 is a tie in float32 alone, and in float64 alone.
@example(ends=(-1.0, float(np.float32(1 / 3))), bits=2)
@example(ends=(-1.0, 1.0), bits=8)
def test_values_over_a_given_range_are_the_grid_s_codes(op, signed, narrow, ends, bits):
    narrow = narrow and (signed or op != "qdq_v2")  # its unsigned codes have none to leave out
    quantizer = Quantizer(op, bits, signed, "half_to_even", CURRENT)
    low, high = map(float, ends)
    grid = quantizer.grid(low, high, narrow)
    assert grid.clamps and grid.count == 2**bits - narrow
    assert grid.lowest <= grid.zero_point < grid.lowest + grid.count
    x = tf.constant(np.linspace(-20, 20, 4001), tf.float32)
    codes = quantizer(x, low, high, narrow=narrow).numpy() / grid.scale + grid.zero_point
    np.testing.assert_allclose(codes, np.rint(codes), atol=2e-3)
    first, last = grid.lowest, grid.lowest + grid.count - 1
    assert (round(codes.min()), round(codes.max())) == (first, last)
    assert grid.ends == tuple(grid.scale * (code - grid.zero_point) for code in (first, last))


@pytest.mark.parametrize("op", OPS.names())
def test_a_range_of_nothing_but_0_has_no_step(op):
    for signed in (True, False):
        grid = Quantizer(op, 8, signed, "half_to_even", CURRENT).grid(0.0, 0.0)
        assert grid.scale == 0 and grid.ends == (0.0, 0.0)
        assert grid.lowest <= grid.zero_point < grid.lowest + grid.count


@pytest.mark.parametrize(("low", "high", "zero_point"), [(1.0, 2.0, 0), (-2.0, -1.0, 255)])
def test_a_range_on_one_side_of_0_is_widened_to_hold_it(low, high, zero_point):
    grid = Quantizer("fake_quant", 8, True, "half_to_even", CURRENT).grid(low, high)
    assert (grid.scale, grid.zero_point) == (2.0 / 255, zero_point)


@pytest.mark.parametrize(("low", "scale"), [(-0.5, 0.5), (0.5, 0.0)])
def test_one_signed_bit_has_the_codes_minus_1_and_0(low, scale):
    grid = Quantizer("qdq_v2", 1, True, "half_to_even", CURRENT).grid(low, 2.0)
    assert grid == OpGrid(scale, 0, -1, 2)


def test_a_measured_range_lets_values_through():
    quantizer = Quantizer("qdq_v2", 8, False, "half_to_even", OWN)
    assert not quantizer.grid(-1.0, 1.0).clamps
    assert not quantizer.with_fixed_range().grid(-1.0, 1.0).clamps


def test_an_op_without_a_grid_says_so(monkeypatch):
    monkeypatch.setitem(OPS._items, "odd", replace(OPS["fake_quant"], grid=None))
    quantizer = Quantizer("odd", 8, True, "half_to_even", CURRENT)
    assert not quantizer.has_grid
    with pytest.raises(QbenchError, match=r"quant\.op=odd: its values lie on no grid"):
        quantizer.grid(-1.0, 1.0)


def test_grid_ends():
    assert OpGrid(0.5, 3, 1, 7).ends == (-1.0, 2.0)


def test_roundings_belong_to_the_setting():
    with pytest.raises(ValueError, match="rounding and its choices belong together"):
        replace(OPS["fake_quant"], roundings=("half_up",))


@pytest.mark.parametrize(
    ("op", "signed"), [("qdq_v2", True), ("qdq_v2", False), ("fake_quant", True)]
)
def test_an_op_has_the_bits_that_tensorflow_s_has(op, signed):
    fewest, most = OPS[op].bits_allowed(signed)
    x = tf.constant([-1.0, 0.5, 2.0])
    for bits in (fewest, most):
        Quantizer(op, bits, signed, "half_to_even", CURRENT)(x, -1.0, 2.0)
    for bits in (fewest - 1, most + 1):
        with pytest.raises((tf.errors.InvalidArgumentError, ValueError)):
            Quantizer(op, bits, signed, "half_to_even", CURRENT)(x, -1.0, 2.0)


def test_what_can_be_set_of_each_op():
    assert OPS["qdq_v2"].settings == {"rounding", "signed", "range_given"}
    assert OPS["fake_quant"].settings == set() == set(OPS["fake_quant"].roundings)


@pytest.mark.parametrize("op", OPS.names())
@pytest.mark.parametrize("factor", [0.25, 3.0])
def test_on_a_kernel_s_grid_an_op_knows_no_unit(op, factor):
    assert OPS[op].in_units
    quantizer = Quantizer(op, 4, True, "half_to_even", CURRENT)
    x = tf.constant(np.random.default_rng(0).normal(size=100), tf.float32)
    got = quantizer(factor * x, -factor, factor, narrow=True) / factor
    np.testing.assert_allclose(got, quantizer(x, -1.0, 1.0, narrow=True), rtol=1e-5)
