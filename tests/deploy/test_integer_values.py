"""Operators that compute value by value, move codes or enlarge images, against the runtime."""

from __future__ import annotations

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from hypothesis import given
from hypothesis import strategies as st
from integer_files import Part, codes, constant, file_of, part
from integer_strategies import activations, assert_same, factors, few, grids, seeds, zero_points

EVERY = np.arange(-128, 128, dtype=np.int8).reshape(256, 1)
PAIRS = tuple(code[np.newaxis, ..., np.newaxis] for code in np.meshgrid(EVERY, EVERY))


def scale(value):
    return float(np.float32(value))


@few
@given(grids(), grids(), zero_points, factors, activations)
def test_products_and_differences_of_every_pair(left, right, zero_point, factor, activation):
    inputs = [part(PAIRS[0].shape, *left), part(PAIRS[1].shape, *right)]
    for name, options, width in (
        ("MUL", schema.MulOptionsT, 64 * left[0] * right[0]),
        ("SUB", schema.SubOptionsT, left[0] + right[0]),
    ):
        last = part(PAIRS[0].shape, scale(width * factor), zero_point)
        content = file_of(name, inputs, last, options(fusedActivationFunction=activation))
        assert_same(content, *PAIRS)


@few
@given(grids(), grids(), factors, st.sampled_from([(5,), (1, 1, 1, 5), (1, 4, 3, 1), ()]), seeds)
def test_products_with_a_constant_and_of_other_shapes(left, right, factor, shape, seed):
    generator = np.random.default_rng(seed)
    values = generator.integers(-128, 128, shape).astype(np.int8)
    given_ = Part(shape, (right[0],), (right[1],), 0, "int8", values)
    last = part((1, 4, 3, 5), scale(64 * left[0] * right[0] * factor), 7)
    content = file_of("MUL", [part((1, 4, 3, 5), *left), given_], last, schema.MulOptionsT())
    assert_same(content, codes(generator, 4, 4, 3, 5))
    gate = part((1, 1, 1, 5), *right)
    content = file_of("MUL", [part((1, 4, 3, 5), *left), gate], last, schema.MulOptionsT())
    assert_same(content, codes(generator, 4, 4, 3, 5), codes(generator, 4, 1, 1, 5))


@few
@given(grids())
def test_extremes_of_every_pair(grid):
    tensor = part(PAIRS[0].shape, *grid)
    for name in ("MAXIMUM", "MINIMUM"):
        content = file_of(name, [tensor, tensor], tensor, schema.MaximumMinimumOptionsT())
        assert_same(content, *PAIRS)


@few
@given(grids(), zero_points, factors, st.sampled_from([0.0, 0.1, 0.2, 0.3, 1.0, -0.5]))
def test_leaky_relu_of_every_code(grid, zero_point, factor, alpha):
    last = part((1, 1), scale(grid[0] * factor), zero_point)
    options = schema.LeakyReluOptionsT(alpha=alpha)
    assert_same(file_of("LEAKY_RELU", [part((1, 1), *grid)], last, options), EVERY)


@few
@given(grids(), zero_points, factors)
def test_hard_swish_of_every_code(grid, zero_point, factor):
    last = part((1, 1), scale(grid[0] * factor), zero_point)
    content = file_of("HARD_SWISH", [part((1, 1), *grid)], last, schema.HardSwishOptionsT())
    assert_same(content, EVERY)


@few
@given(grids())
def test_functions_with_a_prescribed_grid_of_every_code(grid):
    for name, last in (("LOGISTIC", (1 / 256, -128)), ("TANH", (1 / 128, 0))):
        assert_same(file_of(name, [part((1, 1), *grid)], part((1, 1), *last)), EVERY)


@few
@given(grids(), st.permutations([1, 2, 3]), seeds)
def test_transposition(grid, order, seed):
    shape = (1, 2, 3, 4)
    turned = (1, *(shape[axis] for axis in order))
    inputs = [part(shape, *grid), constant([0, *order], dtype="int32")]
    content = file_of("TRANSPOSE", inputs, part(turned, *grid), schema.TransposeOptionsT())
    assert_same(content, codes(np.random.default_rng(seed), 3, *shape[1:]))


SLICES = [
    ([0, 1, 0, 0], [0, 4, 0, 0], [1, 2, 1, 1], 0b1101, 0b1101, 0, (1, 2, 3, 4)),
    ([0, 0, 1, 0], [1, 4, 3, -1], [1, 1, 1, 2], 0, 0, 0, (1, 4, 2, 2)),
    ([0, 0, 0, 2], [0, 0, 0, 3], [1, 1, 1, 1], 0b0111, 0b0111, 0b1000, (1, 4, 3)),
]


@pytest.mark.parametrize(("begin", "end", "steps", "first", "last", "shrink", "shape"), SLICES)
def test_slices(begin, end, steps, first, last, shrink, shape):
    tensor = part((1, 4, 3, 4), 0.5, 3)
    ends = [constant(values, dtype="int32") for values in (begin, end, steps)]
    options = schema.StridedSliceOptionsT(beginMask=first, endMask=last, shrinkAxisMask=shrink)
    content = file_of("STRIDED_SLICE", [tensor, *ends], part(shape, 0.5, 3), options)
    assert_same(content, codes(np.random.default_rng(1), 3, 4, 3, 4))


@few
@given(grids(), st.sampled_from([[1, 2], [1], [3], [-1]]), st.booleans(), seeds)
def test_largest_values(grid, axes, keep, seed):
    shape, reduced = (1, 3, 2, 4), {axis % 4 for axis in axes}
    kept = tuple(
        1 if axis in reduced else size
        for axis, size in enumerate(shape)
        if keep or axis not in reduced
    )
    inputs = [part(shape, *grid), constant(axes, dtype="int32")]
    options = schema.ReducerOptionsT(keepDims=keep)
    content = file_of("REDUCE_MAX", inputs, part(kept, *grid), options)
    assert_same(content, codes(np.random.default_rng(seed), 3, *shape[1:]))


@few
@given(grids(), st.tuples(*[st.integers(1, 9)] * 4), st.booleans(), seeds)
def test_resizing(grid, lengths, half, seed):
    height, width, rows, columns = lengths
    inputs = [part((1, height, width, 2), *grid), constant([rows, columns], dtype="int32")]
    last = part((1, rows, columns, 2), *grid)
    x = codes(np.random.default_rng(seed), 4, height, width, 2)
    for name, options in (
        ("RESIZE_NEAREST_NEIGHBOR", schema.ResizeNearestNeighborOptionsT),
        ("RESIZE_BILINEAR", schema.ResizeBilinearOptionsT),
    ):
        assert_same(file_of(name, inputs, last, options(halfPixelCenters=half)), x)


@few
@given(
    grids(),
    zero_points,
    factors,
    st.tuples(*[st.integers(1, 4)] * 2),
    st.tuples(*[st.integers(1, 3)] * 2),
    st.booleans(),
    st.booleans(),
    seeds,
)
def test_transposed_convolution(grid, zero_point, factor, size, strides, same, channelwise, seed):
    generator = np.random.default_rng(seed)
    sides = [
        3 * stride if same else 2 * stride + taps
        for taps, stride in zip(size, strides, strict=True)
    ]
    kernel = generator.integers(-127, 128, (3, *size, 2)).astype(np.int8)
    scales = [scale(0.1 * (k + 1)) for k in range(3 if channelwise else 1)]
    bias = constant(generator.integers(-5000, 5000, 3), 0.1, dtype="int32")
    shape = constant([1, *sides, 3], dtype="int32")
    inputs = [shape, constant(kernel, *scales), part((1, 3, 3, 2), *grid), bias]
    last = part((1, *sides, 3), scale(20 * grid[0] * factor), zero_point)
    options = schema.TransposeConvOptionsT(
        padding=0 if same else 1, strideH=strides[0], strideW=strides[1]
    )
    assert_same(file_of("TRANSPOSE_CONV", inputs, last, options), codes(generator, 4, 3, 3, 2))
