"""What is not computed because it is known already changes no bit."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st
from keras import layers
from quantize_calls import constant, qdq_v2
from quantize_networks import network
from quantize_strategies import PROFILE, qdq_cases

from qbench.quantize.layers import FakeQuantize, MeasureRange, Row
from qbench.quantize.ops import OPS
from qbench.quantize.quantizer import OWN, Quantizer
from qbench.quantize.ranges import RangeAverages
from qbench.quantize.rewrite import rewrite
from qbench.quantize.traits import smallest_output


@PROFILE
@given(qdq_cases(bits=st.integers(2, 16), range_given=False, signed=True))
def test_signed_qdq_v2_given_its_own_range_is_the_same(case):
    x, _, _, chosen = case
    alone = qdq_v2(x, 0, 0, **chosen)
    chosen["range_given"] = True
    np.testing.assert_array_equal(qdq_v2(x, x.min(), x.max(), **chosen), alone)


def test_so_it_is_on_a_large_tensor():
    x = np.random.default_rng(0).normal(size=300_000).astype(np.float32)
    for bits in (2, 4, 8, 16):
        for rounding in ("half_to_even", "half_up"):
            settings = {"bits": bits, "signed": True, "rounding": rounding}
            given = qdq_v2(x, x.min(), x.max(), range_given=True, **settings)
            alone = qdq_v2(x, 0, 0, range_given=False, **settings)
            np.testing.assert_array_equal(given, alone)


@pytest.mark.parametrize(
    ("op", "bits", "signed", "same"),
    [
        ("qdq_v2", 8, True, True),
        ("qdq_v2", 16, True, True),
        ("qdq_v2", 17, True, False),
        ("qdq_v2", 2, True, True),
        ("qdq_v2", 1, True, False),
        ("qdq_v2", 8, False, False),
        ("fake_quant", 8, True, False),
    ],
)
def test_only_then_is_the_measured_range_handed_over(op, bits, signed, same):
    assert Quantizer(op, bits, signed, "half_to_even", OWN).takes_own_range is same


def test_one_signed_bit_would_cut_positive_values_off():
    x = np.array([-1.0, 1.0], np.float32)
    alone = qdq_v2(x, 0, 0, bits=1, signed=True, range_given=False)
    assert np.any(qdq_v2(x, -1, 1, bits=1, signed=True, range_given=True) != alone)


def test_unsigned_codes_would_cut_negatives_off():
    x = np.array([-1.0, 2.0], np.float32)
    alone = qdq_v2(x, 0, 0, bits=8, signed=False, range_given=False)
    assert np.any(qdq_v2(x, -1, 2, bits=8, signed=False, range_given=True) != alone)


@pytest.mark.parametrize(
    ("is_root", "signed"), [(True, True), (False, True), (True, False), (False, False)]
)
def test_a_root_takes_the_range_of_the_step_in_training(is_root, signed):
    # A range that is not x's own shows whether it is used.
    x = constant([-1.0, 0.3, 1.0])
    quantizer = Quantizer("qdq_v2", 8, signed, "half_to_even", OWN)
    layer = FakeQuantize(quantizer, RangeAverages(["x"], 0.9), Row(0, is_root), "q")
    ends = constant(-8.0), constant(8.0)
    alone = quantizer(x, 0.0, 0.0)
    np.testing.assert_array_equal(layer(x, *ends, training=False), alone)
    used = quantizer.given(x, *ends) if is_root and signed else alone
    np.testing.assert_array_equal(layer(x, *ends, training=True), used)


@pytest.mark.parametrize("training", [True, False])
def test_a_fixed_range_is_that_of_the_averages(training):
    averages = RangeAverages(["other", "x"], 0.0)  # an average is the last measurement
    averages.averages.assign([[0, 0], [-8, 8]])
    quantizer = Quantizer("qdq_v2", 4, True, "half_to_even", OWN).with_fixed_range()
    layer, x = FakeQuantize(quantizer, averages, Row(1, True), "q"), constant([-1.0, 0.3, 1.0])
    expected = quantizer.given(x, *((-2.0, 2.0) if training else (-8.0, 8.0)))
    got = layer(x, constant(-2.0), constant(2.0), training=training)
    np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize("minimum", [None, 0.0])
def test_no_gradient_goes_through_a_measured_range(minimum):
    x = constant([0.0, 1.0, 3.0])
    with tf.GradientTape() as tape:
        tape.watch(x)
        total = sum(MeasureRange(minimum, "range")(x))
    assert float(total) == 3 and tape.gradient(total, x) is None


RELU = keras.layers.ReLU
KNOWN = [
    (RELU(), 0.0),
    (RELU(max_value=6), 0.0),
    (RELU(negative_slope=0.1), None),
    (RELU(threshold=1.0), None),
    (layers.Activation("relu"), 0.0),
    (layers.Activation("relu6"), 0.0),
    (layers.Activation("tanh"), None),
    (layers.Conv2D(1, 1, activation="relu"), 0.0),
    (layers.Conv2D(1, 1), None),
    (layers.LeakyReLU(), None),
    (layers.Add(), None),
    (network(keras.ops.relu).operations[-1], 0.0),
    (network(keras.ops.relu6).operations[-1], 0.0),
    (network(keras.ops.gelu).operations[-1], None),
    (None, None),
]


@pytest.mark.parametrize(("op", "smallest"), KNOWN)
def test_smallest_output(op, smallest):
    assert smallest_output(op) == smallest
    if smallest is not None:
        x = np.random.default_rng(0).normal(size=(2, 3, 3, 2)).astype(np.float32)
        assert np.min(op(x)) == smallest


def test_the_minimum_of_a_relu_is_recorded_as_zero():
    model = network(lambda image: layers.ReLU(name="relu")(image))
    view = rewrite(model, None)
    x = np.full((2, *model.input_shape[1:]), 3.0, np.float32)
    ranges = dict(zip(view.tensors, view.model([x])[1].numpy().tolist(), strict=True))
    assert ranges == {"image": [3, 3], "relu": [0, 3]}


@pytest.mark.parametrize("op", OPS.names())
@pytest.mark.parametrize("signed", [True, False])
def test_no_grid_depends_on_a_minimum_that_is_not_negative(op, signed):
    x = constant(np.linspace(0.5, 3, 99))
    chosen = {"bits": 4, "signed": signed, "rounding": "half_to_even", "range_given": True}
    low, high = OPS[op].apply(x, 0.5, 3.0, **chosen), OPS[op].apply(x, 0.0, 3.0, **chosen)
    np.testing.assert_array_equal(low, high)
