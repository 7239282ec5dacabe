"""Kernels quantized channel by channel, and on LiteRT's symmetric grid without the lowest code."""

from __future__ import annotations

from dataclasses import replace

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st
from keras import layers
from quantize_reference import fake, qdq

from qbench.quantize.kernels import KernelQuantizer, channel_form
from qbench.quantize.ops import OPS
from qbench.quantize.quantizer import CURRENT, OWN, Quantizer
from qbench.quantize.traits import kernels

# Layer, its kernel's axes that are summed over (all but the output channels), output channels.
LAYERS = [
    (layers.Conv1D(5, 3), (8, 4), (0, 1), 5),
    (layers.Conv2D(5, 3), (8, 8, 4), (0, 1, 2), 5),
    (layers.DepthwiseConv2D(3, depth_multiplier=2), (8, 8, 4), (0, 1), 8),
    (layers.Conv2DTranspose(5, 3), (8, 8, 4), (0, 1, 3), 5),
    (layers.Conv1DTranspose(5, 3), (8, 4), (0, 2), 5),
    (layers.Conv3DTranspose(5, 2), (4, 4, 4, 3), (0, 1, 2, 4), 5),
    (layers.DepthwiseConv1D(3, depth_multiplier=2), (8, 4), (0,), 8),
]
IDS = [type(layer).__name__ for layer, *_ in LAYERS]


def quantizer(op="qdq_v2", bits=4, source=OWN, **settings):
    inner = Quantizer(op, bits, settings.pop("signed", True), "half_to_even", source)
    return KernelQuantizer(inner, **settings)


def built(layer, shape):
    keras.utils.set_random_seed(3)
    if not layer.built:
        layer.build((None, *shape))
    (kernel,) = kernels(layer)
    kernel.assign(np.random.default_rng(1).normal(size=kernel.shape))
    return kernel


@pytest.mark.parametrize(("layer", "shape", "axes", "channels"), LAYERS, ids=IDS)
def test_channels_and_back(layer, shape, axes, channels):
    kernel = built(layer, shape)
    form = channel_form(layer, kernel)
    columns = form.columns(kernel.value)
    assert columns.shape[-1] == form.channels == channels
    largest = np.abs(np.asarray(kernel)).max(axis=axes).ravel()
    np.testing.assert_array_equal(np.abs(columns).max(axis=0), largest)
    np.testing.assert_array_equal(form.back(columns), kernel)


def test_a_separable_convolution_has_channels_of_two_kinds():
    layer = layers.SeparableConv2D(5, 3, depth_multiplier=2)
    layer.build((None, 8, 8, 4))
    forms = [channel_form(layer, kernel) for kernel in kernels(layer)]
    assert [form.channels for form in forms] == [8, 5]


def test_an_einsum_has_one_range_for_its_kernel():
    layer = layers.EinsumDense("abc,cd->abd", (None, 3))
    layer.build((None, 5, 4))
    assert channel_form(layer, layer.kernel) is None


@pytest.mark.parametrize("op", ["qdq_v2", "fake_quant"])
@pytest.mark.parametrize(("layer", "shape", "axes", "channels"), LAYERS, ids=IDS)
def test_symmetric_narrow_codes(layer, shape, axes, channels, op):
    """round(w / s) s with s = max |w| / 7 of each channel: codes -7 .. 7, both ends taken."""
    kernel = built(layer, shape)
    value = np.asarray(kernel)
    source = OWN if op == "qdq_v2" else CURRENT
    made = quantizer(op, source=source, symmetric=True, per_channel=True)
    largest = np.abs(value).max(axis=axes, keepdims=True)
    got = np.asarray(made(layer, kernel, kernel.value)) / (largest / 7)
    np.testing.assert_allclose(got, np.round(got), atol=1e-5)
    np.testing.assert_allclose(got, np.round(value / (largest / 7)), atol=1e-5)
    assert np.abs(got).max() == pytest.approx(7)
    grids = made.grids(layer, kernel, kernel.value)
    assert {(grid.lowest, grid.zero_point, grid.count) for grid in grids} == {(-7, 0, 15)}
    steps = np.float32([grid.scale for grid in grids])
    np.testing.assert_array_equal(steps, (largest / np.float32(7)).ravel())


@pytest.mark.parametrize("op", ["qdq_v2", "fake_quant"])
def test_channels_of_any_size_have_steps_of_their_own(op):
    """Largest magnitudes 0.014, 0 and 700, of 4 bits: steps of 0.002 and 100; a dead channel."""
    layer = layers.Conv1D(3, 2)
    layer.build((None, 4, 1))
    value = np.float32([[0.014, 0, 140], [-0.0051, 0, -700]]).reshape(2, 1, 3)
    made = quantizer(op, source=CURRENT, symmetric=True, per_channel=True)
    got = made(layer, layer.kernel, tf.constant(value)).numpy().reshape(2, 3)
    np.testing.assert_allclose(got, [[0.014, 0, 100], [-0.006, 0, -700]], rtol=1e-5)


@given(
    values=st.lists(st.floats(-100, 100, width=32), min_size=1, max_size=12),
    op=st.sampled_from(["qdq_v2", "fake_quant"]),
    bits=st.integers(2, 8),
)
def test_symmetric_narrow_of_a_whole_tensor(values, op, bits):
    layer = layers.Dense(1)
    value = np.asarray(values, np.float32)[:, None]
    layer.build((None, len(values)))
    source = OWN if op == "qdq_v2" else CURRENT
    got = np.asarray(
        quantizer(op, bits, source, symmetric=True)(layer, layer.kernel, tf.constant(value))
    )
    largest, most = np.abs(value).max(), 2 ** (bits - 1) - 1
    if largest < 1e-30:
        assert np.abs(got).max() <= largest
        return
    step = largest / most
    assert np.abs(got - value).max() <= step * 0.5001
    np.testing.assert_allclose(got / step, np.round(got / step), atol=1e-3)
    assert np.abs(got).max() <= largest * (1 + 1e-5)


@pytest.mark.parametrize(
    ("op", "source"), [("qdq_v2", OWN), ("qdq_v2", CURRENT), ("fake_quant", CURRENT)]
)
def test_the_op_s_own_range_channel_by_channel(op, source):
    layer, shape, *_ = LAYERS[1]
    kernel = built(layer, shape)
    got = np.asarray(quantizer(op, source=source, per_channel=True)(layer, kernel, kernel.value))
    for channel in range(5):
        x = np.asarray(kernel)[..., channel]
        if op == "fake_quant":
            expected = fake(x, x.min(), x.max(), bits=4)
        else:
            settings = {"signed": True, "rounding": "half_to_even", "range_given": False}
            expected = qdq(x, x.min(), x.max(), bits=4, **settings)
        np.testing.assert_allclose(got[..., channel], expected, rtol=1e-5, atol=1e-7)


NARROW = [("qdq_v2", OWN), ("qdq_v2", CURRENT), ("fake_quant", CURRENT)]


@pytest.mark.parametrize(("op", "source"), NARROW)
@pytest.mark.parametrize("per_channel", [False, True])
def test_narrow_kernels_leave_the_lowest_code_out(op, source, per_channel):
    """Of 4 bits 15 codes, on the op's own range; and every value stands for one of its grid."""
    layer, shape, *_ = LAYERS[1]
    kernel = built(layer, shape)
    kernel.assign(np.asarray(kernel) - 0.4)  # so that the negative side sets the scale
    made = quantizer(op, source=source, narrow=True, per_channel=per_channel)
    got = np.asarray(made(layer, kernel, kernel.value)).reshape(-1, 5 if per_channel else 1)
    grids = made.grids(layer, kernel, kernel.value)
    assert len(grids) == got.shape[1]
    for column, x, grid in zip(
        got.T, np.asarray(kernel).reshape(-1, len(grids)).T, grids, strict=True
    ):
        assert grid.count == 15
        largest = max(-x.min(), x.max()) / 7
        affine = (x.max() - x.min()) / 14
        assert grid.scale == pytest.approx(affine if op == "fake_quant" else largest, rel=1e-6)
        codes = column / grid.scale + grid.zero_point
        np.testing.assert_allclose(codes, np.rint(codes), atol=1e-4)
        first, last = round(codes.min()), round(codes.max())
        assert grid.lowest <= first < last < grid.lowest + 15
        assert first == grid.lowest  # the negative side is taken to its end


@pytest.mark.parametrize("op", ["qdq_v2", "fake_quant"])
def test_without_narrow_the_lowest_code_is_taken(op):
    layer, shape, *_ = LAYERS[1]
    kernel = built(layer, shape)
    kernel.assign(np.asarray(kernel) - 0.4)
    made = quantizer(op, source=CURRENT)
    (grid,) = made.grids(layer, kernel, kernel.value)
    codes = np.asarray(made(layer, kernel, kernel.value)) / grid.scale + grid.zero_point
    assert (grid.lowest, grid.count) == ((0 if op == "fake_quant" else -8), 16)
    assert round(codes.min()) == grid.lowest


def test_dense_kernels_have_one_range():
    layer = layers.Dense(3)
    kernel = built(layer, (6,))
    one = quantizer(symmetric=True)(layer, kernel, kernel.value)
    each = quantizer(symmetric=True, per_channel=True)(layer, kernel, kernel.value)
    np.testing.assert_array_equal(one, each)


def test_signedness_does_not_matter_to_a_symmetric_kernel():
    layer, shape, *_ = LAYERS[1]
    kernel = built(layer, shape)
    values = [
        quantizer(symmetric=True, signed=signed)(layer, kernel, kernel.value)
        for signed in (True, False)
    ]
    np.testing.assert_array_equal(*values)


@pytest.mark.parametrize("op", ["qdq_v2", "fake_quant"])
@pytest.mark.parametrize("per_channel", [False, True])
def test_the_gradient_passes_straight_through(op, per_channel):
    layer, shape, *_ = LAYERS[1]
    kernel = built(layer, shape)
    source = OWN if op == "qdq_v2" else CURRENT
    made = quantizer(op, source=source, symmetric=True, per_channel=per_channel)
    weights = np.random.default_rng(2).normal(size=kernel.shape).astype(np.float32)
    with tf.GradientTape() as tape:
        value = tf.convert_to_tensor(kernel.value)
        tape.watch(value)
        total = tf.reduce_sum(made(layer, kernel, value) * weights)
    np.testing.assert_allclose(tape.gradient(total, value), weights, rtol=1e-6)


@pytest.fixture
def whole_steps(monkeypatch):
    """An op of somebody's own: steps of 1 whatever the range, and its width is added."""

    def apply(x, low, high, **_):
        return x + tf.stop_gradient(tf.round(x) - x) + (high - low)

    op = replace(OPS["fake_quant"], apply=apply, grid=None, in_units=False)
    monkeypatch.setitem(OPS._items, "whole_steps", op)


def test_an_op_that_knows_no_units_is_given_the_channels_as_they_are(whole_steps):
    layer, shape, *_ = LAYERS[1]
    kernel = built(layer, shape)
    made = quantizer("whole_steps", source=CURRENT, symmetric=True, per_channel=True)
    got = made(layer, kernel, kernel.value)
    width = 2 * np.abs(kernel).max((0, 1, 2))
    np.testing.assert_allclose(got, np.round(kernel) + width, rtol=1e-6)


@pytest.mark.parametrize("per_channel", [False, True])
@pytest.mark.parametrize("symmetric", [False, True])
def test_no_gradient_goes_into_the_range(whole_steps, symmetric, per_channel):
    layer, shape, *_ = LAYERS[1]
    kernel = built(layer, shape)
    settings = {"symmetric": symmetric, "per_channel": per_channel}
    made = quantizer("whole_steps", source=CURRENT, **settings)
    with tf.GradientTape() as tape:
        value = tf.convert_to_tensor(kernel.value)
        tape.watch(value)
        total = tf.reduce_sum(made(layer, kernel, value))
    np.testing.assert_array_equal(tape.gradient(total, value), np.ones(kernel.shape))
