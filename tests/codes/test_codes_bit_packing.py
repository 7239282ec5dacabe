"""Whole numbers of a few bits each, without gaps."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from qbench.codes.bit_packing import from_bits, to_bits

BITS = st.integers(1, 16)


def test_bits_by_hand():
    # 001, 010, 011 from the lowest bit up: 1 0 0, 0 1 0, 1 1 0 -> 1 + 16 + 64 + 128.
    assert to_bits(np.array([1, 2, 3]), 3) == bytes([209, 0])
    assert to_bits(np.array([[5], [255]]), 8) == bytes([5, 255])
    assert to_bits(np.array([258]), 16) == bytes([2, 1])
    assert to_bits(np.array([]), 5) == b""


@given(data=st.data(), bits=BITS, count=st.integers(0, 70))
def test_bits_come_back(data, bits, count):
    values = data.draw(arrays(np.uint16, count, elements=st.integers(0, 2**bits - 1)))
    content = to_bits(values, bits)
    assert len(content) == -(-count * bits // 8)
    np.testing.assert_array_equal(from_bits(content, count, bits), values)


@pytest.mark.parametrize("bits", [1, 3, 7, 8, 13, 16])
def test_bits_of_more_values_than_a_block(bits):
    values = np.random.default_rng(bits).integers(0, 2**bits, 150_001)
    content = to_bits(values, bits)
    assert len(content) == -(-150_001 * bits // 8)
    np.testing.assert_array_equal(from_bits(content, values.size, bits), values)


@pytest.mark.parametrize("value", [-1, 8])
def test_a_value_that_does_not_fit_is_refused(value):
    with pytest.raises(ValueError, match="do not fit in 3 bits"):
        to_bits(np.array([0, value]), 3)
