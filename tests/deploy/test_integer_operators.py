"""Each operator of the integer reference against LiteRT's kernel, on files of one operator.

Shapes, strides, paddings, grids and codes are drawn; many scales are powers of two or small
fractions of them, so that ties are frequent.
"""

from __future__ import annotations

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from hypothesis import example, given, settings
from hypothesis import strategies as st
from integer_files import Part, codes, constant, file_of, part, runtime

from qbench.deploy.integer import OPERATORS, IntegerFile

few = settings(max_examples=40)
seeds = st.integers(0, 2**32 - 1)
zero_points = st.sampled_from([-128, -127, -1, 0, 3, 127]) | st.integers(-128, 127)
factors = st.sampled_from([0.25, 0.5, 1.0, 1.5, 2.0]) | st.floats(0.05, 3.0)
scales = st.sampled_from([2.0**-8, 0.125, 0.5, 1.0, 3.0]) | st.floats(2.0**-12, 8.0)
activations = st.sampled_from([0, 1, 2, 3])
sizes = st.integers(1, 7)


def same(content, *inputs):
    """Both give the same codes; returns them."""
    expected = runtime(content, *inputs)
    made = IntegerFile(content).run(*inputs)
    np.testing.assert_array_equal(made, expected)
    assert made.dtype == np.int8
    return made


@st.composite
def grids(draw):
    """A scale, as it can stand in a file, and a zero point."""
    return float(np.float32(draw(scales))), draw(zero_points)


@st.composite
def windows(draw, dilations=(1, 1, 2)):
    """An image's size, and windows of any kind: size, stride, dilation, padding, their number."""
    image = draw(sizes), draw(sizes)
    same_padding = draw(st.booleans())
    dilation = draw(st.sampled_from(dilations))
    kernel, stride, count = [], [], []
    for length in image:
        most = 4 if same_padding else (length - 1) // dilation + 1
        kernel.append(draw(st.integers(1, max(1, min(4, most)))))
        stride.append(draw(st.integers(1, 3)))
        reach = (kernel[-1] - 1) * dilation + 1
        covered = length if same_padding else length - reach + 1
        count.append(-(-covered // stride[-1]))
    options = {"padding": 0 if same_padding else 1, "strideH": stride[0], "strideW": stride[1]}
    return image, tuple(kernel), dilation, tuple(count), options


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
    same(content, codes(generator, 4, *image, inputs))


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
    same(content, codes(generator, 4, *image, inputs))


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
    same(content, codes(generator, 4, *middle, inputs))


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
    made = same(content, np.zeros((1, *([1] * (3 if name == "CONV_2D" else 1))), np.int8))
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
    same(content, np.zeros((1, 1, 1, 1) if name == "CONV_2D" else (1, 1), np.int8))


@few
@given(grids(), grids(), zero_points, factors, activations, seeds)
@example((1.0, 0), (1.0, 0), 0, 1.0, 0, 0)
def test_addition(left, right, zero_point, factor, activation, seed):
    generator = np.random.default_rng(seed)
    shape = (1, 4, 3, 5)
    last = float(np.float32((left[0] + right[0]) * factor))
    options = schema.AddOptionsT(fusedActivationFunction=activation)
    inputs = [part(shape, *left), part(shape, *right)]
    content = file_of("ADD", inputs, part(shape, last, zero_point), options)
    x = codes(generator, 4, *shape[1:])
    same(content, x, codes(generator, 4, *shape[1:])[::-1])


@few
@given(grids(), grids(), factors, st.sampled_from([(5,), (1, 1, 1, 5), (1, 4, 3, 1), ()]), seeds)
def test_addition_of_a_constant(left, right, factor, shape, seed):
    generator = np.random.default_rng(seed)
    values = generator.integers(-128, 128, shape).astype(np.int8)
    given_ = Part(shape, (right[0],), (right[1],), 0, "int8", values)
    last = part((1, 4, 3, 5), float(np.float32((left[0] + right[0]) * factor)), 7)
    content = file_of("ADD", [part((1, 4, 3, 5), *left), given_], last, schema.AddOptionsT())
    same(content, codes(generator, 4, 4, 3, 5))


@few
@given(grids(), st.lists(st.integers(1, 4), min_size=1, max_size=4), st.integers(1, 3), seeds)
def test_concatenation(grid, lengths, axis, seed):
    generator = np.random.default_rng(seed)
    shapes = [[1, 2, 3, 4] for _ in lengths]
    for shape, length in zip(shapes, lengths, strict=True):
        shape[axis] = length
    joined = [1, 2, 3, 4]
    joined[axis] = sum(lengths)
    options = schema.ConcatenationOptionsT(axis=axis if seed % 2 else axis - 4)
    inputs = [part(shape, *grid) for shape in shapes]
    content = file_of("CONCATENATION", inputs, part(joined, *grid), options)
    same(content, *(codes(generator, 3, *shape[1:]) for shape in shapes))


@few
@given(windows(dilations=(1,)), grids(), activations, st.integers(1, 4), seeds)
def test_pools(window, grid, activation, channels, seed):
    image, size, _, count, options = window
    generator = np.random.default_rng(seed)
    x = codes(generator, 4, *image, channels)
    for name in ("MAX_POOL_2D", "AVERAGE_POOL_2D"):
        pool = schema.Pool2DOptionsT(
            filterHeight=size[0],
            filterWidth=size[1],
            fusedActivationFunction=activation,
            **options,
        )
        first, last = part((1, *image, channels), *grid), part((1, *count, channels), *grid)
        same(file_of(name, [first], last, pool), x)


AXES = [[1, 2], [2, 1], [1], [2], [3], [-1], [2, 3], [1, 2, 3]]


@few
@given(grids(), grids(), factors, st.sampled_from(AXES), st.booleans(), st.booleans(), seeds, sizes)
def test_mean(grid, end, factor, axes, keep, same_grid, seed, height):
    generator = np.random.default_rng(seed)
    shape = (1, height, 3, 4)
    reduced = {axis % 4 for axis in axes}
    kept = tuple(
        1 if axis in reduced else size
        for axis, size in enumerate(shape)
        if keep or axis not in reduced
    )
    last = grid if same_grid else (float(np.float32(grid[0] * factor)), end[1])
    inputs = [part(shape, *grid), constant(axes, dtype="int32")]
    content = file_of("MEAN", inputs, part(kept, *last), schema.ReducerOptionsT(keepDims=keep))
    same(content, codes(generator, 4, *shape[1:]))


EVERY = np.arange(-128, 128, dtype=np.int8).reshape(256, 1)


@few
@given(grids(), grids(), factors)
def test_requantization_of_every_code(grid, end, factor):
    last = part((1, 1), float(np.float32(grid[0] * factor)), end[1])
    content = file_of("QUANTIZE", [part((1, 1), *grid)], last, schema.QuantizeOptionsT())
    same(content, EVERY)


@few
@given(grids(), st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=3, max_size=3))
def test_padding(grid, widths):
    shape = (1, 2, 3, 2)
    padded = (1, *(size + sum(pair) for size, pair in zip(shape[1:], widths, strict=True)))
    inputs = [part(shape, *grid), constant([(0, 0), *widths], dtype="int32")]
    content = file_of("PAD", inputs, part(padded, *grid), schema.PadOptionsT())
    same(content, codes(np.random.default_rng(1), 3, *shape[1:]))


@pytest.mark.parametrize("shape", [(1, 24), (1, 4, 6), (1, 2, 3, 4, 1)], ids=str)
def test_reshaping(shape):
    inputs = [part((1, 2, 3, 4), 0.5, 3), constant(shape, dtype="int32")]
    options = schema.ReshapeOptionsT(newShape=list(shape))
    content = file_of("RESHAPE", inputs, part(shape, 0.5, 3), options)
    same(content, codes(np.random.default_rng(1), 3, 2, 3, 4))


def test_every_operator_is_tested_here():
    names = {name for name in globals() if name.startswith("test_")}
    covered = {
        "ADD": "test_addition",
        "AVERAGE_POOL_2D": "test_pools",
        "CONCATENATION": "test_concatenation",
        "CONV_2D": "test_convolution",
        "DEPTHWISE_CONV_2D": "test_depthwise_convolution",
        "FULLY_CONNECTED": "test_fully_connected",
        "MAX_POOL_2D": "test_pools",
        "MEAN": "test_mean",
        "PAD": "test_padding",
        "QUANTIZE": "test_requantization_of_every_code",
        "RESHAPE": "test_reshaping",
    }
    assert set(covered) == set(OPERATORS) and set(covered.values()) <= names
