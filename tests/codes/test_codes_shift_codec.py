"""Scalable codes as a file, and what shifts and negation make of them."""

from __future__ import annotations

import struct
import zlib
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qbench.base.errors import QbenchError
from qbench.codes.scalable import Coded, coded
from qbench.codes.shift_codec import codes_of, decoded, fixed, pack, unpack, words_of
from qbench.codes.thresholds import Thresholds
from qbench.codes.vectors import cut_of

TABLE_2 = {0b001: 1, 0b010: 2, 0b011: 4, 0b100: -1, 0b101: -2, 0b110: -4, 0b000: 0}


def test_the_words_of_table_2():
    words = np.array([list(TABLE_2)], np.uint8)
    codes = np.array([list(TABLE_2.values())], np.int8)
    np.testing.assert_array_equal(words_of(codes, 4), words)
    np.testing.assert_array_equal(codes_of(words, 4), codes)
    assert decoded(words, np.array([5], np.int32), 4).tolist() == [[5, 10, 20, -5, -10, -20, 0]]
    assert words_of(np.array([1, -1, 0]), 1).tolist() == [0b01, 0b10, 0b00]
    assert words_of(np.array([1, 2, -1, -2]), 2).tolist() == [0b001, 0b010, 0b100, 0b101]


@st.composite
def kernels(draw):
    """Any codes with any scales."""
    shape = tuple(draw(st.lists(st.integers(1, 5), min_size=2, max_size=4)))
    along = draw(st.sampled_from(["channels", "filters"]))
    cut = cut_of(shape, draw(st.none() | st.integers(1, 7)), along)
    phi = draw(st.sampled_from([1, 2, 4]))
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    codes = random.choice([c for c in (-4, -2, -1, 0, 1, 2, 4) if abs(c) <= phi], cut.size)
    vectors = cut.vectors(codes.reshape(shape)).astype(np.int8)
    exponent = draw(st.integers(-100, 100))
    scales = np.ldexp(random.random(cut.count), exponent) * draw(st.sampled_from([0, 1]))
    return Coded(cut, phi, vectors, scales.astype(np.float32))


@given(given_ones=st.lists(kernels(), max_size=3))
def test_files_come_back(given_ones):
    written = [fixed(one) for one in given_ones]
    content = pack(written)
    back = unpack(content)
    assert pack(back) == content
    for one, other, source in zip(written, back, given_ones, strict=True):
        assert (one.cut, one.phi, one.fraction) == (other.cut, other.phi, other.fraction)
        np.testing.assert_array_equal(one.words, other.words)
        np.testing.assert_array_equal(one.scales, other.scales)
        np.testing.assert_array_equal(codes_of(other.words, other.phi), source.codes)


@given(source=kernels())
def test_shifts_and_negation_give_codes_times_scales(source):
    found = fixed(source)
    assert found.scales.max() <= 2**29
    assert found.scales.max() >= 2**28 or not source.scales.any()
    products = source.codes.astype(np.int64) * found.scales[:, None].astype(np.int64)
    np.testing.assert_array_equal(found.integers, source.cut.kernel(products))
    assert found.integers.dtype == np.int32
    half = np.ldexp(0.5, -found.fraction)
    exact = source.scales.astype(np.float64)
    scales = np.ldexp(found.scales.astype(np.float64), -found.fraction)
    assert (abs(scales - exact) <= half).all()
    large = exact >= exact.max() / 32
    np.testing.assert_array_equal(scales[large], exact[large])
    if large.all():
        np.testing.assert_array_equal(found.kernel.astype(np.float32), source.kernel)


def test_bytes_of_a_file():
    kernel = np.random.default_rng(0).normal(size=(3, 3, 20, 7)).astype(np.float32)
    for phi, bits in ((1, 2), (2, 3), (4, 3)):
        one = fixed(coded(kernel, cut_of(kernel.shape, 8), phi, "equation_9", Thresholds(0.5, 2)))
        # 3 vectors of 8, 8 and 4 values for each of 9 places and 7 filters.
        words = -(-3 * 3 * 20 * 7 * bits // 8)
        assert len(pack([one])) == 10 + 9 + 4 * 4 + 4 * 9 * 7 * 3 + words + 4


def small(**parts):
    kernel = np.array([[1, -2], [3, -4]], np.float32)
    one = fixed(coded(kernel, cut_of((2, 2), 2), 4, "equation_9", Thresholds(0.1, 2)))
    return replace(one, **parts)


def with_sum(body):
    return body + struct.pack("<I", zlib.crc32(body))


GOOD = pack([small()])


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "not a file of scalable codes"),
        (b"QBPK" + GOOD[4:], "not a file of scalable codes"),
        (GOOD[:4] + b"\x02" + GOOD[5:], "scalable codes of version 2; this qbench reads 1"),
        (GOOD[:-5] + b"\xff" + GOOD[-4:], "damaged scalable codes: their checksum is wrong"),
        (with_sum(GOOD[:-4] + b"\0"), "damaged scalable codes: 1 bytes too many"),
        (with_sum(GOOD[:-5]), "damaged scalable codes: 1 bytes where 2 are expected"),
        (with_sum(GOOD[:10] + b"\x03" + GOOD[11:-4]), "damaged scalable codes: a kernel with an"),
        (pack([small(words=np.full((2, 2), 7, np.uint8))]), "codes: a word that is no code"),
        (pack([small(scales=np.array([2**29 + 1, 0]))]), "codes: a scale above 2.29"),
        (with_sum(GOOD[:14] + b"\x09" + GOOD[15:-4]), "codes: vectors longer than the kernel"),
    ],
)
def test_other_files_are_refused(content, sentence):
    with pytest.raises(QbenchError, match=sentence):
        unpack(content)
