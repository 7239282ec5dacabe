from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from quantize_calls import assert_same, constant, qdq_v2

from qbench.quantize.quantizer import MOVING, OWN, Quantizer

INF, NAN = np.inf, np.nan


def through_quantizer(x, low, high, *, bits, signed, rounding, range_given):
    quantizer = Quantizer("qdq_v2", bits, signed, rounding, MOVING if range_given else OWN)
    return quantizer(constant(x), constant(low), constant(high)).numpy()


@pytest.fixture(params=[qdq_v2, through_quantizer], ids=["op", "quantizer"])
def call(request):
    return request.param


def case(id, x, expected, given=None, bits=8, signed=True, rounding="half_to_even"):
    return pytest.param(x, expected, given, bits, signed, rounding, id=id)


MEASURED = [
    # s = min(128/10, 127/5) = 12.8: 5 -> 64, 0.04 -> 0.512 -> 1, 0.03 -> 0.384 -> 0
    case("minimum_sets_scale", [-10, 5, 0.04, 0.03], [-10, 5, 0.078125, 0]),
    # s = min(128/5, 127/10) = 12.7: -4 -> -50.8 -> -51, 0.1 -> 1.27 -> 1
    case(
        "maximum_sets_scale",
        [-5, 10, -4, 0.1],
        [-5.039370078740157, 10, -4.015748031496063, 0.07874015748031496],
    ),
    # s = min(12.8, 12.7) = 12.7, the minimum is code -127
    case("equal_ends", [-10, 10, 3], [-10, 10, 2.9921259842519685]),
    # both sides give s = 1
    case("tie_of_scales", [-128, 127, 0.4, -77.6], [-128, 127, 0, -78]),
    # s = 128/3: -1 -> -42.67 -> -43, -0.3 -> -12.8 -> -13; positive codes stay unused
    case("all_negative", [-3, -1, -0.3], [-3, -1.0078125, -0.3046875]),
    case("constant_positive", [3, 3], [3, 3]),
    case("constant_negative", [-3, -3], [-3, -3]),
    case("all_zero", [0, 0], [0, 0]),
    case("all_zero_unsigned", [0, 0], [0, 0], signed=False),
    # s = 255/1, the minimum does not count and nothing is cut: -3 -> -765, +-0.5 -> +-127.5
    case(
        "unsigned_keeps_negatives",
        [-3, -0.5, 0.5, 1],
        [-3, -0.5019607843137255, 0.5019607843137255, 1],
        signed=False,
    ),
    # half up: -127.5 -> -127, 127.5 -> 128
    case(
        "unsigned_keeps_negatives_half_up",
        [-3, -0.5, 0.5, 1],
        [-3, -0.4980392156862745, 0.5019607843137255, 1],
        signed=False,
        rounding="half_up",
    ),
    # No side counts, s is the largest float: -3 s overflows to -inf, times 3 / -255... is +inf.
    case("unsigned_without_positives", [-3, -2], [INF, INF], signed=False),
    # Codes -1 and 0: s = 1/2 from the minimum alone; without a clamp 4 -> 2 codes -> 4.
    case("one_bit", [-2, -0.5, 0.5, 4], [-2, 0, 0, 4], bits=1),
    # The only nonzero code is negative, so no side counts: 0 -> nan, everything else inf.
    case("one_bit_without_negatives", [0, 1, 2], [NAN, INF, INF], bits=1),
    case("one_bit_all_zero", [0, 0], [NAN, NAN], bits=1),
    # s = 3/2: -1 -> -1.5 -> -2 (even), 0.5 -> 0.75 -> 1
    case(
        "two_bits_unsigned",
        [-1, 0.5, 0.3, 2],
        [-1.3333333333333333, 0.6666666666666666, 0, 2],
        bits=2,
        signed=False,
    ),
    # s = 7/1.75 = 4: 0.3 -> 1.2 -> 1
    case("four_bits", [1.75, 0.3, -0.7], [1.75, 0.25, -0.75], bits=4),
    # s = 32767/32767 = 1
    case("sixteen_bits", [32767, 0.4, -3.6], [32767, 0, -4], bits=16),
    case("thirty_two_bits", [-1, 0.3, 2], [-1, 0.3, 2], bits=32),
    case("most_bits_signed", [-1, 0.3, 2], [-1, 0.3, 2], bits=61),
    case("most_bits_unsigned", [-1, 0.3, 2], [-1, 0.3, 2], bits=62, signed=False),
]

GIVEN = [
    # s = 12.8, so the maximum is widened to 127/12.8; 3 -> 38.4 -> 38
    case("widened_maximum", [-20, 20, 0, 3], [-10, 9.921875, 0, 2.96875], (-10, 5)),
    # s = 12.7, so the minimum is widened to -128/12.7; 3 -> 38.1 -> 38
    case(
        "widened_minimum",
        [-20, 20, 0, 3],
        [-10.078740157480315, 10, 0, 2.9921259842519685],
        (-5, 10),
    ),
    # s = 127: -2 is cut to -128/127
    case("equal_ends", [-2, 2, 0.5], [-1.0078740157480315, 1, 0.5039370078740157], (-1, 1)),
    # the tensor's own range is not looked at: s = 127/127 = 1
    case("range_wider_than_data", [0.6, -0.4, 3.3], [1, 0, 3], (-127, 127)),
    # s = 255: negatives are cut to 0; 0.5 -> 127.5 -> 128
    case(
        "unsigned_cuts_negatives",
        [-2, -0.1, 0.5, 2],
        [0, 0, 0.5019607843137255, 1],
        (-1, 1),
        signed=False,
    ),
    # low == high == 2: s = 63.5, range -128/63.5..2; 1 -> 63.5 -> 64, -3 -> -128
    case(
        "point_range_positive",
        [1, -3, 3],
        [1.0078740157480315, -2.015748031496063, 2],
        (2, 2),
    ),
    # low == high == -2: s = 64, range -2..127/64
    case("point_range_negative", [1, -3, 3], [1, -2, 1.984375], (-2, -2)),
    case("point_range_zero", [1, -1], [0, 0], (0, 0)),
    case("point_range_zero_unsigned", [1, -1], [0, 0], (0, 0), signed=False),
    # No side counts; the range becomes [0, -1/255 x ...], so everything is cut to 0.
    case("unsigned_range_without_positives", [1, -1, -3], [0, 0, 0], (-2, -1), signed=False),
    # Codes -1 and 0, s = 1
    case("one_bit", [-2, -0.6, -0.4, 0.6, 2], [-1, -1, 0, 0, 0], (-1, 1), bits=1),
    case("one_bit_unsigned", [-2, 0.4, 0.6, 2], [0, 0, 1, 1], (-1, 1), bits=1, signed=False),
    # Codes -2..1: s = min(2/1, 1/1) = 1, the minimum is widened to -2
    case("two_bits", [-3, -1.4, 0.4, 0.6, 3], [-2, -1, 0, 1, 1], (-1, 1), bits=2),
]


@pytest.mark.parametrize(
    ("x", "expected", "given", "bits", "signed", "rounding"),
    [
        pytest.param(*entry.values, id=f"{kind}-{entry.id}")
        for kind, table in (("measured", MEASURED), ("given", GIVEN))
        for entry in table
    ],
)
def test_value_worked_out_by_hand(call, x, expected, given, bits, signed, rounding):
    low, high = given or (0.0, 0.0)
    settings = {"bits": bits, "signed": signed, "rounding": rounding}
    assert_same(call(x, low, high, range_given=given is not None, **settings), expected)


TIES = [-2.5, -1.5, -0.5, 0.5, 1.5, 2.5]
TO_EVEN = [-2, -2, 0, 0, 2, 2]
UP = [-2, -1, 0, 1, 2, 3]


@pytest.mark.parametrize(
    ("signed", "given"),
    [(True, False), (True, True), (False, False)],
    ids=["signed", "signed_range_given", "unsigned"],
)
@pytest.mark.parametrize(
    ("rounding", "expected"), [("half_to_even", TO_EVEN), ("half_up", UP)], ids=["even", "up"]
)
def test_ties(call, rounding, expected, signed, given):
    # 127 (signed) or 255 (unsigned) in the tensor or the range makes the scale exactly 1.
    top = 127 if signed else 255
    x = [*TIES, top]
    y = call(x, -top, top, bits=8, signed=signed, rounding=rounding, range_given=given)
    np.testing.assert_array_equal(y, [*expected, top])


@pytest.mark.parametrize("rounding", ["half_to_even", "half_up"])
def test_unsigned_ties_with_range_given(call, rounding):
    # As above, but negatives are cut off.
    y = call(TIES, -255, 255, bits=8, signed=False, rounding=rounding, range_given=True)
    expected = TO_EVEN if rounding == "half_to_even" else UP
    np.testing.assert_array_equal(y, np.maximum(expected, 0))


@pytest.mark.parametrize(
    ("signed", "bits", "levels"),
    [(True, 8, 128), (True, 4, 8), (False, 8, 256), (False, 4, 16)],
    ids=["signed_8", "signed_4", "unsigned_8", "unsigned_4"],
)
def test_levels_of_a_relu_output(call, signed, bits, levels):
    x = np.linspace(0, 1, 4001)
    y = call(x, 0.0, 0.0, bits=bits, signed=signed, rounding="half_to_even", range_given=False)
    assert len(np.unique(y)) == levels


def test_measured_range_is_that_of_the_whole_call(call):
    # The same first row is quantized otherwise beside a larger second one.
    settings = {"bits": 4, "signed": True, "rounding": "half_to_even", "range_given": False}
    alone = call([[0.3, 0.7]], 0.0, 0.0, **settings)
    beside = call([[0.3, 0.7], [7.0, 0.0]], 0.0, 0.0, **settings)
    assert_same(alone, [[0.3, 0.7]])  # s = 10: codes 3 and 7
    assert_same(beside[0], [0, 1])  # s = 1


@pytest.mark.parametrize(
    ("bits", "signed"),
    [(0, True), (62, True), (0, False), (63, False)],
    ids=["signed_0", "signed_62", "unsigned_0", "unsigned_63"],
)
def test_bits_out_of_range(bits, signed):
    with pytest.raises((tf.errors.InvalidArgumentError, ValueError)):
        qdq_v2([1.0, 2.0], bits=bits, signed=signed)


def test_ends_in_the_wrong_order():
    with pytest.raises(tf.errors.InvalidArgumentError, match="Invalid range"):
        qdq_v2([1.0], 2.0, 1.0, range_given=True)
