"""The packed form as bytes."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from qbench.base.errors import QbenchError
from qbench.deploy.grids import Grid
from qbench.deploy.packed import BookCodes, Codes, Layer, Packed, identical, pack, unpack

BITS = st.integers(1, 16)
SHAPES = array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=5)
FLOATS = arrays(np.float32, SHAPES, elements=st.floats(width=32))


@st.composite
def kernels(draw):
    """Signed, unsigned or affine codes, or whatever lies above some lowest one."""
    bits = draw(BITS)
    lowest = draw(st.sampled_from([-(2 ** (bits - 1)), 0]) | st.integers(-(2**30), 2**30))
    zero_point = draw(st.just(0) | st.integers(-(2**31), 2**31 - 1))
    elements = st.integers(lowest, lowest + 2**bits - 1)
    codes = draw(arrays(np.int32, SHAPES, elements=elements))
    scales = draw(arrays(np.float32, st.integers(1, 5), elements=st.floats(width=32)))
    return Codes(codes, bits, lowest, zero_point, scales)


@st.composite
def in_books(draw):
    """Codes of a code book with levels of any value."""
    bits = draw(BITS)
    count = draw(st.integers(1, min(2**bits, 300)))
    codes = draw(arrays(np.int32, SHAPES, elements=st.integers(0, count - 1)))
    levels = draw(arrays(np.float32, count, elements=st.floats(width=32)))
    scales = draw(arrays(np.float32, st.integers(1, 5), elements=st.floats(width=32)))
    return BookCodes(codes, bits, levels, scales)


BIASES = arrays(np.int32, st.integers(0, 5)) | arrays(np.float32, st.integers(0, 5))
MODELS = st.builds(
    Packed,
    st.lists(
        st.builds(Grid, st.floats(width=32, allow_nan=False), st.integers(-128, 127)), max_size=3
    ).map(tuple),
    st.lists(st.builds(Layer, kernels() | in_books() | FLOATS, BIASES), max_size=3).map(tuple),
    st.lists(FLOATS, max_size=2).map(tuple),
)


@given(model=MODELS)
def test_a_packed_model_comes_back_to_the_last_bit(model):
    back = unpack(pack(model))
    assert back.tensors == model.tensors
    for old, new in zip(model.layers, back.layers, strict=True):
        assert type(old.kernel) is type(new.kernel)
        if isinstance(old.kernel, Codes):
            fields = ("bits", "lowest", "zero_point")
            assert [getattr(old.kernel, f) == getattr(new.kernel, f) for f in fields] == [True] * 3
            np.testing.assert_array_equal(old.kernel.codes, new.kernel.codes)
            np.testing.assert_array_equal(old.kernel.scales, new.kernel.scales)
        elif isinstance(old.kernel, BookCodes):
            assert old.kernel.bits == new.kernel.bits
            for name in ("codes", "levels", "scales"):
                one, other = getattr(old.kernel, name), getattr(new.kernel, name)
                np.testing.assert_array_equal(one, other)
        else:
            np.testing.assert_array_equal(old.kernel, new.kernel)
        assert old.bias.dtype == new.bias.dtype
        np.testing.assert_array_equal(old.bias, new.bias)
    assert identical(back, model)
    assert pack(back) == pack(model)


def small() -> Packed:
    codes = np.arange(-4, 4, dtype=np.int32).reshape(2, 4)
    kernel = Codes(codes, 3, -4, 0, np.ones(4, np.float32))
    layer = Layer(kernel, np.arange(4, dtype=np.int32))
    return Packed((Grid(0.5, 3),), (layer,), (np.ones((2, 2), np.float32),))


def test_the_size_is_that_of_its_parts():
    head, tensor = 4 + 2 + 3 * 4, 4 + 4
    kernel = (1 + 1 + 4 + 4) + (1 + 4 + 4 * 4) + (1 + 2 * 4) + 3  # 8 codes of 3 bits
    bias, other = 1 + (1 + 4 + 4 * 4), 1 + 2 * 4 + 4 * 4
    assert len(pack(small())) == head + tensor + kernel + bias + other + 4


def test_difference_is_seen():
    one = small()
    codes = one.layers[0].kernel.codes.copy()
    codes[0, 0] += 1
    kernel = Codes(codes, 3, -4, 0, np.ones(4, np.float32))
    assert identical(one, small())
    assert not identical(one, Packed(one.tensors, (Layer(kernel, one.layers[0].bias),), one.others))
    assert not identical(one, Packed((Grid(0.5, 4),), one.layers, one.others))
    assert not identical(one, Packed(one.tensors, one.layers, ()))


def test_any_damaged_byte_is_noticed():
    content = pack(small())
    for k in range(len(content)):
        spoilt = bytearray(content)
        spoilt[k] ^= 4
        with pytest.raises(QbenchError):
            unpack(bytes(spoilt))


@pytest.mark.parametrize("content", [b"", b"QBPK", b"no model at all, but long enough"])
def test_another_file_is_refused(content):
    with pytest.raises(QbenchError, match="not a packed model"):
        unpack(content)


def test_a_cut_file_is_refused():
    with pytest.raises(QbenchError, match="checksum"):
        unpack(pack(small())[:-9])


def test_a_later_version_is_refused():
    content = pack(small())
    with pytest.raises(QbenchError, match="version 3; this qbench reads 2"):
        unpack(content[:4] + struct.pack("<H", 3) + content[6:])


@pytest.mark.parametrize("bits", [0, 17])
def test_codes_have_1_to_16_bits(bits):
    kernel = Codes(np.zeros(3, np.int32), bits, 0, 0, np.ones(1, np.float32))
    with pytest.raises(ValueError, match="expected 1 to 16"):
        pack(Packed((), (Layer(kernel, np.zeros(3, np.float32)),), ()))
