from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from quantize_calls import assert_same, constant, fake_quant

from qbench.quantize.quantizer import MOVING, Quantizer


def through_quantizer(x, low, high, *, bits):
    quantizer = Quantizer("fake_quant", bits, True, "half_to_even", MOVING)
    return quantizer(constant(x), constant(low), constant(high)).numpy()


@pytest.fixture(params=[fake_quant, through_quantizer], ids=["op", "quantizer"])
def call(request):
    return request.param


def case(id, x, expected, low, high, bits=8):
    return pytest.param(x, expected, low, high, bits, id=id)


@pytest.mark.parametrize(
    ("x", "expected", "low", "high", "bits"),
    [
        # step 12/255, zero point round(127.5) = 128, range -128 x 12/255 .. 127 x 12/255;
        # 1 -> 21.25 -> 21
        case(
            "nudged",
            [-7, 7, 0, 1],
            [-6.023529411764706, 5.976470588235294, 0, 0.9882352941176471],
            -6,
            6,
        ),
        # step 3/255, zero point round(85) = 85: 0 lies on the grid already; -0.5 -> -42.5 + 85
        case("not_nudged", [-2, 3, 0, 1], [-1, 2, 0, 1], -1, 2),
        # widened to [0, 6]: step 6/255; 0.1 -> 4.25 -> 4
        case("all_positive", [-1, 0, 0.1, 6, 7], [0, 0, 0.09411764705882353, 6, 6], 0.1, 6),
        # widened to [-6, 0]: zero point 255
        case("all_negative", [1, 0, -0.1, -6, -7], [0, 0, -0.09411764705882353, -6, -6], -6, -0.1),
        case("zero_range", [-1, 0, 1], [0, 0, 0], 0, 0),
        # widened to [0, 2]: step 2/255; 0.5 -> 63.75 -> 64. TensorFlow's op alone would give nan.
        case("point_range_positive", [0.5, 3, -1], [0.5019607843137255, 2, 0], 2, 2),
        case("point_range_negative", [-0.5, -3, 1], [-0.5019607843137255, -2, 0], -2, -2),
        # step 1, zero point 0
        case("two_bits", [-7, 0.4, 0.6, 3, 9], [0, 0, 1, 3, 3], 0, 3, 2),
        # step 2/3, zero point round(1.5) = 2, range -4/3..2/3: -1.1 -> -1.65 -> -2, 0.3 -> 0.45
        case(
            "two_bits_nudged",
            [-3, -1.1, -0.5, 0.3, 0.5, 3],
            [
                -1.3333333333333333,
                -1.3333333333333333,
                -0.6666666666666666,
                0,
                0.6666666666666666,
                0.6666666666666666,
            ],
            -1,
            1,
            2,
        ),
        # step 2/65535, zero point round(32767.5) = 32768; 0.5 -> 16383.75 -> 16384
        case(
            "sixteen_bits",
            [-2, 2, 0, 0.5],
            [-1.0000152590218967, 0.9999847409781033, 0, 0.5000076295109483],
            -1,
            1,
            16,
        ),
    ],
)
def test_value_worked_out_by_hand(call, x, expected, low, high, bits):
    assert_same(call(x, low, high, bits=bits), expected)


def test_ties_go_up(call):
    # step 1, zero point 127
    y = call([-2.5, -1.5, -0.5, 0.5, 1.5, 2.5], -127.0, 128.0, bits=8)
    np.testing.assert_array_equal(y, [-2, -1, 0, 1, 2, 3])


@pytest.mark.parametrize("bits", [1, 17])
def test_bits_out_of_range(bits):
    with pytest.raises((tf.errors.InvalidArgumentError, ValueError)):
        fake_quant([1.0], -1.0, 1.0, bits=bits)


def test_why_the_range_is_widened():
    # TensorFlow's op shifts a range without 0 and keeps its length: [0.1, 6] becomes [0, 5.9].
    raw = tf.raw_ops.FakeQuantWithMinMaxVars(
        inputs=constant([0.0, 6.0]), min=constant(0.1), max=constant(6.0), num_bits=8
    )
    assert_same(raw.numpy(), [0, 5.9])
    assert_same(fake_quant([0.0, 6.0], 0.1, 6.0), [0, 6])
