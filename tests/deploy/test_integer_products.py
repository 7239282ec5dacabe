"""The operators that multiply by a kernel, against LiteRT's reference kernels."""

from __future__ import annotations

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from hypothesis import given
from hypothesis import strategies as st
from integer_files import Part, codes, constant, file_of, part
from integer_strategies import (
    activations,
    assert_same,
    factors,
    few,
    grids,
    seeds,
    windows,
    zero_points,
)


def bias(generator, scale, kernel_scales):
    """As the converter writes it, of scale S1 S2."""
    values = generator.integers(-4000, 4000, len(kernel_scales)).astype(np.int32)
    products = tuple(float(np.float32(scale) * np.float32(each)) for each in kernel_scales)
    return Part(values.shape, products, (0,) * len(values), 0, "int32", values)


def kernel_scales(generator, count):
    powers = 2.0 ** generator.integers(-9, 1, count)
    return [float(each) for each in (powers * generator.choice([1, 0.75, 0.9], count))]


@few
@given(windows(), grids(), grids(), factors, activations, st.integers(1, 4), seeds)
def test_convolution(window, grid, end, factor, activation, channels, seed):
    image, kernel, dilation, count, options = window
    generator = np.random.default_rng(seed)
    inputs, scale = int(generator.integers(1, 5)), grid[0]
    values = generator.integers(-128, 128, (channels, *kernel, inputs))
    each = kernel_scales(generator, channels)
    last = float(np.float32(scale * max(each) * 30 * factor))
    entry = part((1, *image, inputs), *grid)
    content = file_of(
        "CONV_2D",
        [entry, constant(values, *each), bias(generator, scale, each)],
        part((1, *count, channels), last, end[1]),
        schema.Conv2DOptionsT(
            dilationHFactor=dilation,
            dilationWFactor=dilation,
            fusedActivationFunction=activation,
            **options,
        ),
    )
    assert_same(content, codes(generator, 4, *image, inputs))


@few
@given(windows(), grids(), zero_points, factors, activations, st.integers(1, 3), seeds)
def test_depthwise_convolution(window, grid, zero_point, factor, activation, multiple, seed):
    image, kernel, dilation, count, options = window
    generator = np.random.default_rng(seed)
    inputs, scale = int(generator.integers(1, 5)), grid[0]
    channels = inputs * multiple
    values = generator.integers(-128, 128, (1, *kernel, channels))
    each = kernel_scales(generator, channels)
    content = file_of(
        "DEPTHWISE_CONV_2D",
        [
            part((1, *image, inputs), *grid),
            constant(values, *each, axis=3),
            bias(generator, scale, each),
        ],
        part((1, *count, channels), float(np.float32(scale * max(each) * 15 * factor)), zero_point),
        schema.DepthwiseConv2DOptionsT(
            depthMultiplier=multiple,
            dilationHFactor=dilation,
            dilationWFactor=dilation,
            fusedActivationFunction=activation,
            **options,
        ),
    )
    assert_same(content, codes(generator, 4, *image, inputs))


@few
@given(
    grids(), zero_points, factors, activations, st.integers(1, 40), st.integers(1, 6),
    st.sampled_from(["one scale", "not symmetric", "by channel"]), st.booleans(), st.booleans(),
    seeds,
)  # fmt: skip
def test_fully_connected(
    grid, zero_point, factor, activation, inputs, channels, kind, keep, biased, seed
):
    generator = np.random.default_rng(seed)
    values = generator.integers(-128, 128, (channels, inputs)).astype(np.int8)
    each = kernel_scales(generator, channels if kind == "by channel" else 1)
    shift = 5 if kind == "not symmetric" else 0
    kernel = Part(values.shape, tuple(each), (shift,) * len(each), 0, "int8", values)
    ends = bias(generator, grid[0], each * (1 if kind == "by channel" else channels))
    if kind != "by channel":
        ends = Part(ends.shape, ends.scales[:1], (0,), 0, "int32", ends.data)
    middle = (3,) if keep else ()
    content = file_of(
        "FULLY_CONNECTED",
        [part((1, *middle, inputs), *grid), kernel, ends if biased else None],
        part(
            (1, *middle, channels), float(np.float32(grid[0] * max(each) * 40 * factor)), zero_point
        ),
        schema.FullyConnectedOptionsT(fusedActivationFunction=activation, keepNumDims=keep),
    )
    assert_same(content, codes(generator, 4, *middle, inputs))


def products_of(name, accumulators, multiplier):
    """A file whose accumulators are given, by bias, with unit scales and S3 = 1 / multiplier."""
    count = len(accumulators)
    shape = (1, 1) if name == "FULLY_CONNECTED" else (1, 1, 1, 1)
    options = (
        schema.FullyConnectedOptionsT()
        if name == "FULLY_CONNECTED"
        else schema.Conv2DOptionsT(padding=1, strideW=1, strideH=1)
    )
    data = np.asarray(accumulators, np.int32)
    return file_of(
        name,
        [
            part(shape, 1.0, 0),
            constant(np.ones((count, *shape[1:])), 1.0),
            Part((count,), (1.0,), (0,), 0, "int32", data),
        ],
        part((*shape[:-1], count), 1 / multiplier, 0),
        options,
    )


ANSWERS = [
    # (-3, -1, 1, 3) times M
    ("CONV_2D", 0.5, [-1, 0, 2, 1]),
    ("FULLY_CONNECTED", 0.5, [-2, -1, 2, 1]),
]


@pytest.mark.parametrize(("name", "multiplier", "expected"), ANSWERS)
def test_where_ties_go(name, multiplier, expected):
    """A convolution sends them up where M >= 1/2, the runtime's fully connected away from zero."""
    content = products_of(name, [-3, -1, 3, 1], multiplier)
    made = assert_same(content, np.zeros((1, *([1] * (3 if name == "CONV_2D" else 1))), np.int8))
    assert made.ravel().tolist() == expected


@few
@given(
    st.sampled_from(["CONV_2D", "FULLY_CONNECTED"]), st.integers(-24, 12), st.integers(0, 3), seeds
)
def test_accumulators_of_any_size(name, power, third, seed):
    """Shifts of both signs, up to where an int32 overflows; what does in float64 is undefined."""
    generator = np.random.default_rng(seed)
    if name == "FULLY_CONNECTED":
        power = min(power, 0)
    values = generator.integers(-(2**31), 2**31, 60) >> generator.integers(0, 31, 60)
    content = products_of(name, values, float(np.float32(2.0**power / (1 + third / 3))))
    assert_same(content, np.zeros((1, 1, 1, 1) if name == "CONV_2D" else (1, 1), np.int8))
