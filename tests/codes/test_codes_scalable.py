"""Scalable codes: vectors, thresholds and scales, by hand and against loops."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qbench.base.errors import QbenchError
from qbench.codes.levels import bits_of, positive_codes
from qbench.codes.scalable import coded, recovered, relative_error
from qbench.codes.thresholds import Thresholds, codes, sigmas
from qbench.codes.vectors import cut_of

# Sigma is sqrt(0.21) = 0.458 of the positive values and sqrt(0.30) = 0.548 of the negative ones.
# With gamma 0.5 the thresholds to 0 are 0.229 and 0.274; with delta 1.4 those to 4 are 0.642 and
# 0.767.
BY_HAND = np.array([[0.1, -0.2, 0.3, -0.4, 0.5, -0.6, 0.7, -0.8]], np.float32).T
HAND = Thresholds(0.5, 1.4)


@pytest.mark.parametrize(
    ("phi", "expected", "equation_9", "least_squares"),
    [
        (1, [0, 0, 1, -1, 1, -1, 1, -1], 0.45, 3.3 / 6),
        (2, [0, 0, 1, -1, 2, -2, 2, -2], 0.225, 5.9 / 18),
        (4, [0, 0, 1, -1, 2, -2, 4, -4], 0.1125, 8.9 / 42),
    ],
)
def test_a_vector_by_hand(phi, expected, equation_9, least_squares):
    cut = cut_of((8, 1), 8)
    for scale, value in (("equation_9", equation_9), ("least_squares", least_squares)):
        found = coded(BY_HAND, cut, phi, scale, HAND)
        assert found.codes.tolist() == [expected]
        assert found.scales == pytest.approx([value], rel=1e-6)
        assert found.zeros == 0.25
        values = np.float32(found.scales[0]) * np.array(expected, np.float32)
        np.testing.assert_array_equal(found.kernel[:, 0], values)


def test_numbers_of_codes_and_bits():
    assert [positive_codes(phi) for phi in (1, 2, 4)] == [(1,), (1, 2), (1, 2, 4)]
    # The fewest bits for 3, 5 and 7 codes.
    assert [bits_of(phi) for phi in (1, 2, 4)] == [2, 3, 3]


def test_values_at_thresholds():
    values = np.array([[0.125, 0.5, 1, 1.375, 1.5]], np.float32)
    one = np.ones_like(values)
    expected = {1: [0, 1, 1, 1, 1], 2: [0, 1, 1, 2, 2], 4: [0, 1, 1, 2, 4]}
    for phi, found in expected.items():
        assert codes(values, one, Thresholds(0.5, 1.375), phi).tolist() == [found]
        assert codes(-values, one, Thresholds(0.5, 1.375), phi).tolist() == [[-c for c in found]]
    # Four equal values: sigma is their size, so they are 1, not 2.
    at_sigma = np.full((4, 1), 0.5, np.float32)
    assert (coded(at_sigma, cut_of((4, 1), 4), 4, "equation_9", HAND).codes == 1).all()


def test_a_sign_with_fewer_than_four_values_has_the_sigma_of_the_layer():
    vectors = np.array([[3, 3, 3, -1], [1, 1, 1, 1]], np.float32)
    found = sigmas(vectors)
    layer = math.sqrt((3 * 9 + 4) / 7)
    assert found.positive == pytest.approx([layer, 1], rel=1e-7)
    assert found.negative == pytest.approx([1, 1])
    assert sigmas(np.zeros((2, 4), np.float32)).positive.tolist() == [0, 0]


def test_zeros_stay_zeros():
    kernel = np.array([[0, 1, -1, 2, 0, 3, 4, 5]], np.float32)
    for scale in ("equation_9", "least_squares"):
        found = coded(kernel, cut_of((1, 8), 8), 4, scale, Thresholds(0, 1))
        assert (found.codes == 0).sum() == 2
        nothing = coded(0 * kernel, cut_of((1, 8), 8), 4, scale, Thresholds(0, 1))
        assert not nothing.kernel.any()
        assert nothing.zeros == 1
        assert nothing.scales.tolist() == [0]


def test_vectors_across_channels_and_filters():
    kernel = np.arange(2 * 5 * 3).reshape(2, 1, 5, 3)
    across = cut_of(kernel.shape, 2)
    assert (across.along, across.count) == ("channels", 2 * 3 * 3)
    expected = []
    for place in range(2):
        for one in range(3):
            column = [*kernel[place, 0, :, one], 0]
            expected += [column[0:2], column[2:4], column[4:6]]
    assert across.vectors(kernel).tolist() == expected
    assert across.filled.tolist() == [2, 2, 1] * 6
    filters = cut_of(kernel.shape, 2, "filters")
    rows = [[*kernel[place, 0, channel], 0] for place in range(2) for channel in range(5)]
    assert filters.vectors(kernel).tolist() == [part for r in rows for part in (r[:2], r[2:])]
    assert filters.filled.tolist() == [2, 1] * 10


def test_the_direction_of_shallow_layers():
    lenet, convnet = (5, 5, 1, 20), (3, 3, 3, 32)
    assert cut_of(lenet, 2) == cut_of(lenet, 2, "filters")
    assert cut_of(convnet, 4).along == cut_of(convnet, 64).along == "filters"
    assert cut_of(convnet, 2).along == "channels"
    # The whole depth: a vector of one value would be no code at all.
    assert (cut_of(lenet, None).along, cut_of(lenet, None).length) == ("filters", 20)
    assert (cut_of(convnet, None).along, cut_of(convnet, None).length) == ("channels", 3)
    assert cut_of(lenet, 64).length == 20
    assert cut_of((3, 3, 64, 64), None, "filters").count == 576


SHAPES = st.lists(st.integers(1, 6), min_size=2, max_size=4).map(tuple)
LENGTHS = st.none() | st.integers(1, 9)
ALONG = st.sampled_from(["channels", "filters"])


@given(shape=SHAPES, length=LENGTHS, along=ALONG)
def test_a_kernel_comes_back(shape, length, along):
    cut = cut_of(shape, length, along)
    kernel = np.arange(1, math.prod(shape) + 1).reshape(shape)
    vectors = cut.vectors(kernel)
    assert vectors.shape == (cut.count, cut.length)
    np.testing.assert_array_equal((vectors > 0).sum(axis=1), cut.filled)
    np.testing.assert_array_equal(cut.kernel(vectors), kernel)


def slow_code(value, sigma, gamma, delta, phi):
    """Equation 10 for one value, band after band."""
    size, sign = abs(value), math.copysign(1, value)
    if value == 0 or size < np.float32(gamma) * sigma:
        return 0
    if phi == 1 or size <= sigma:
        return sign
    if phi == 2 or size <= np.float32(delta) * sigma:
        return 2 * sign
    return 4 * sign


@given(
    seed=st.integers(0, 1000),
    shape=SHAPES,
    length=LENGTHS,
    along=ALONG,
    phi=st.sampled_from([1, 2, 4]),
    gamma=st.floats(0, 1),
    delta=st.floats(1, 3),
)
def test_codes_and_scales_of_loops(seed, shape, length, along, phi, gamma, delta):
    kernel = np.random.default_rng(seed).normal(size=shape).astype(np.float32)
    cut, given_ones = cut_of(shape, length, along), Thresholds(gamma, delta)
    nine, least = (
        coded(kernel, cut, phi, scale, given_ones) for scale in ("equation_9", "least_squares")
    )
    every = [row[:filled] for row, filled in zip(cut.vectors(kernel), cut.filled, strict=True)]
    for at, values in enumerate(every):
        expected = []
        for value in values:
            own = [v for v in values if v * value > 0]
            if len(own) < 4:
                own = [v for v in kernel.reshape(-1) if v * value > 0]
            sigma = np.float32(math.sqrt(math.fsum(float(v) ** 2 for v in own) / len(own)))
            expected.append(slow_code(value, sigma, gamma, delta, phi))
        assert nine.codes[at, : len(values)].tolist() == expected
        assert not nine.codes[at, len(values) :].any()
        mean = math.fsum(abs(float(v)) for v in values) / len(values)
        assert nine.scales[at] == pytest.approx(mean / phi, rel=1e-6)
        if any(expected):
            fitted = np.linalg.lstsq(np.array(expected)[:, None], values.astype(float))[0]
            assert least.scales[at] == pytest.approx(fitted[0], rel=1e-6)
    assert relative_error(kernel, least.kernel) <= relative_error(kernel, nine.kernel) + 1e-6


@given(seed=st.integers(0, 1000), shape=SHAPES, length=LENGTHS, phi=st.sampled_from([1, 2, 4]))
def test_codes_are_found_again_in_their_values(seed, shape, length, phi):
    kernel = np.random.default_rng(seed).normal(size=shape).astype(np.float32)
    cut = cut_of(shape, length)
    values = coded(kernel, cut, phi, "least_squares", Thresholds(0.4, 1.5)).kernel
    found = recovered(values, cut, phi)
    np.testing.assert_array_equal(found.kernel, values)
    assert np.abs(found.codes).max() <= phi
    if cut.length > 4:
        with pytest.raises(QbenchError, match="values of another kind is not allowed: expected co"):
            recovered(kernel, cut, phi)


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        (lambda: cut_of((3, 3), 0), "length=0 is not allowed: expected a whole number of at least"),
        (lambda: cut_of((3, 3), 2, "rows"), "along=rows is not allowed: expected channels or filt"),
        (lambda: cut_of((3, 0), 2), r"a kernel of shape \(3, 0\) has no vectors: expected"),
        (lambda: cut_of((3,), 2), r"a kernel of shape \(3,\) has no vectors: expected"),
        (lambda: bits_of(8), "phi=8 is not allowed: expected 1, 2 or 4"),
        (lambda: bits_of(True), "phi=true is not allowed: expected 1, 2 or 4"),
        (lambda: made(phi=3), "phi=3 is not allowed: expected 1, 2 or 4"),
        (lambda: made(scale="mean"), "scale=mean is not allowed: expected equation_9 or least_sq"),
        (lambda: made(gamma=1.5), "gamma=1.5 is not allowed: expected a number from 0 to 1"),
        (lambda: made(delta=0.5), "delta=0.5 is not allowed: expected a number of at least 1"),
        (lambda: made(value=math.nan), "kernel=values that are not finite is not allowed"),
    ],
)
def test_what_has_no_codes_is_refused(wrong, sentence):
    with pytest.raises(QbenchError, match=sentence):
        wrong()


def made(phi=4, scale="equation_9", gamma=0.5, delta=1.5, value=1.0):
    kernel = np.full((4, 1), value, np.float32)
    return coded(kernel, cut_of((4, 1), 4), phi, scale, Thresholds(gamma, delta))
