"""Grids by hand, and against the simulated ops."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from deploy_examples import quant

from qbench.deploy.grids import Grid, affine_grid, own_grid, tensor_grid
from qbench.quantize.ops import OPS
from qbench.quantize.scheme import scheme_of


def activation(**values):
    return scheme_of(quant(**values)).activation


CODES = np.arange(-128, 128)


def test_signed_qdq_has_zero_point_0():
    # The side that needs the larger step: 2 / 127 against 1 / 128.
    assert tensor_grid(-1.0, 2.0, activation()) == Grid(2 / 127, 0)
    assert tensor_grid(-4.0, 2.0, activation()) == Grid(4 / 128, 0)


def test_unsigned_qdq_has_zero_point_minus_128():
    assert tensor_grid(0.0, 5.1, activation(signed=False)) == Grid(5.1 / 255, -128)


def test_unsigned_codes_cannot_hold_negative_values():
    assert tensor_grid(-1.0, 1.0, activation(signed=False)) == affine_grid(-1.0, 1.0, 8)


def test_unless_a_given_range_cuts_them_off_anyway():
    assert tensor_grid(-1.0, 5.1, activation(signed=False, range_given=True)) == Grid(
        5.1 / 255, -128
    )


def test_fake_quant_keeps_its_own_zero_point():
    # Step 8 / 255; -low / step = 95.6, nudged to 96.
    assert affine_grid(-3.0, 5.0, 8) == Grid(8 / 255, -32)
    assert tensor_grid(-3.0, 5.0, activation(op="fake_quant")) == Grid(8 / 255, -32)


def test_fake_quant_finds_its_zero_point_in_float32():
    """Between two codes, 127.5, its own arithmetic goes down; what only the file quantizes, up."""
    assert tensor_grid(-1.0, 1.0, activation(op="fake_quant")) == Grid(2 / 255, -1)
    assert affine_grid(-1.0, 1.0) == Grid(2 / 255, 0)


def test_what_the_simulation_left_float_gets_an_affine_grid():
    assert tensor_grid(-3.0, 5.0, None) == Grid(8 / 255, -32)


def test_fewer_bits_have_a_larger_step_on_the_same_codes():
    assert tensor_grid(-1.0, 2.0, activation(bits=4)) == Grid(2 / 7, 0)
    assert tensor_grid(0.0, 3.0, activation(bits=4, signed=False)) == Grid(3 / 15, -128)


@pytest.mark.parametrize(("low", "high"), [(0.0, 0.0), (1.0, 1.0), (-2.0, -1.0)])
@pytest.mark.parametrize("op", OPS.names())
@pytest.mark.parametrize("signed", [True, False])
def test_odd_ranges_give_a_grid_that_holds_them(low, high, op, signed):
    grid = tensor_grid(low, high, activation(op=op, signed=signed))
    first, last = grid.ends
    assert grid.scale > 0
    assert first <= low + grid.scale and high <= last + grid.scale
    assert -128 <= grid.zero_point <= 127


@pytest.mark.parametrize("bits", [2, 4, 8])
@pytest.mark.parametrize("signed", [True, False])
@pytest.mark.parametrize("op", OPS.names())
@pytest.mark.parametrize(("low", "high"), [(-1.3, 2.7), (-3.1, 0.4), (0.0, 1.9)])
def test_every_value_of_the_simulated_op_lies_on_the_grid(low, high, op, signed, bits):
    chosen = activation(op=op, signed=signed, bits=bits, range_given=True)
    x = tf.constant(np.linspace(low, high, 999), tf.float32)
    settings = {"bits": bits, "signed": signed, "rounding": "half_to_even", "range_given": True}
    values = OPS[op].apply(x, low, high, **settings).numpy()
    grid = tensor_grid(low, high, chosen)
    points = grid.scale * (CODES - grid.zero_point)
    assert np.abs(values[:, None] - points).min(axis=1).max() < 1e-5 * grid.scale * 128


def test_the_op_s_own_grid_is_said_only_where_the_file_has_it():
    for low, high, values in [
        (-1.0, 1.0, {"signed": False}),  # lets values below its codes through
        (-1.0, 0.0, {"signed": False, "range_given": True}),  # has no positive value to scale by
    ]:
        assert own_grid(low, high, activation(**values)) is None
        assert tensor_grid(low, high, activation(**values)) == affine_grid(low, high)
    assert own_grid(-1.0, 2.0, activation()) == tensor_grid(-1.0, 2.0, activation())
    assert own_grid(0.0, 0.0, activation(signed=False)) == affine_grid(0.0, 0.0)


@pytest.mark.parametrize("bits", [9, 12, 16])
def test_codes_of_more_bits_begin_at_the_lowest_that_is_stored(bits):
    half, most = 2 ** (bits - 1), 2**bits - 1
    affine = Grid(4 / most, half // 2 - half)  # a quarter of the codes, rounded up, is below 0
    for low, high, values, grid in [
        (-1.0, 1.0, {}, Grid(1 / (half - 1), 0)),
        (0.0, 1.0, {"signed": False}, Grid(1 / most, -half)),
        (-1.0, 1.0, {"signed": False, "range_given": True}, Grid(1 / most, -half)),
        (-1.0, 3.0, {"signed": False}, affine),
        (-1.0, 3.0, {"op": "fake_quant"}, affine),
    ]:
        assert tensor_grid(low, high, activation(bits=bits, **values), 16) == grid
