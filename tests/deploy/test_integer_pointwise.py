"""The operators without a kernel, against LiteRT's reference kernels."""

from __future__ import annotations

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from hypothesis import example, given
from hypothesis import strategies as st
from integer_files import Part, codes, constant, file_of, part
from integer_strategies import (
    activations,
    assert_same,
    factors,
    few,
    grids,
    seeds,
    sizes,
    windows,
    zero_points,
)

EVERY = np.arange(-128, 128, dtype=np.int8).reshape(256, 1)


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
    assert_same(content, x, codes(generator, 4, *shape[1:])[::-1])


PAIRS = [(3.0, 1.0, 2.0), (1.0, 3.0, 2.0), (1.0, 1.0, 2.0), (0.7, 0.1, 0.4), (2.0**-9, 1.0, 1.0)]


@pytest.mark.parametrize("scale", PAIRS, ids=str)
def test_addition_of_every_pair(scale):
    """With scales 3 and 1 and twice 1 for the sum, bits 20 places below the point decide ties."""
    x, y = (code[np.newaxis, ..., np.newaxis] for code in np.meshgrid(EVERY, EVERY))
    first, second, last = (part(x.shape, each, 3) for each in scale)
    assert_same(file_of("ADD", [first, second], last, schema.AddOptionsT()), x, y)


@few
@given(grids(), grids(), factors, st.sampled_from([(5,), (1, 1, 1, 5), (1, 4, 3, 1), ()]), seeds)
def test_addition_of_a_constant(left, right, factor, shape, seed):
    generator = np.random.default_rng(seed)
    values = generator.integers(-128, 128, shape).astype(np.int8)
    given_ = Part(shape, (right[0],), (right[1],), 0, "int8", values)
    last = part((1, 4, 3, 5), float(np.float32((left[0] + right[0]) * factor)), 7)
    content = file_of("ADD", [part((1, 4, 3, 5), *left), given_], last, schema.AddOptionsT())
    assert_same(content, codes(generator, 4, 4, 3, 5))


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
    assert_same(content, *(codes(generator, 3, *shape[1:]) for shape in shapes))


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
        assert_same(file_of(name, [first], last, pool), x)


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
    assert_same(content, codes(generator, 4, *shape[1:]))


def test_a_mean_divides_its_multiplier_downwards():
    """Five times a mean of 1/2 is a tie; 5/6 cut to 31 bits leaves it a little nearer to 0."""
    inputs = [part((1, 6), 5.0, 0), constant([1], dtype="int32")]
    content = file_of("MEAN", inputs, part((1,), 1.0, 0), schema.ReducerOptionsT())
    x = np.array([[3, 0, 0, 0, 0, 0], [-3, 0, 0, 0, 0, 0], [4, 0, 0, 0, 0, 0]], np.int8)
    assert assert_same(content, x).tolist() == [2, -2, 3]


@few
@given(grids(), grids(), factors)
def test_requantization_of_every_code(grid, end, factor):
    last = part((1, 1), float(np.float32(grid[0] * factor)), end[1])
    content = file_of("QUANTIZE", [part((1, 1), *grid)], last, schema.QuantizeOptionsT())
    assert_same(content, EVERY)


@few
@given(grids(), st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=3, max_size=3))
def test_padding(grid, widths):
    shape = (1, 2, 3, 2)
    padded = (1, *(size + sum(pair) for size, pair in zip(shape[1:], widths, strict=True)))
    inputs = [part(shape, *grid), constant([(0, 0), *widths], dtype="int32")]
    content = file_of("PAD", inputs, part(padded, *grid), schema.PadOptionsT())
    assert_same(content, codes(np.random.default_rng(1), 3, *shape[1:]))


@pytest.mark.parametrize("shape", [(1, 24), (1, 4, 6), (1, 2, 3, 4, 1)], ids=str)
def test_reshaping(shape):
    inputs = [part((1, 2, 3, 4), 0.5, 3), constant(shape, dtype="int32")]
    options = schema.ReshapeOptionsT(newShape=list(shape))
    content = file_of("RESHAPE", inputs, part(shape, 0.5, 3), options)
    assert_same(content, codes(np.random.default_rng(1), 3, 2, 3, 4))
