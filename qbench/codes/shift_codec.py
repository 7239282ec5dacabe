"""Scalable codes and their scales as a file, and the decoder of shifts and negation.

A scale is a whole number of 2^-fraction. The decoder makes whole numbers of the same unit from
codes, by table II of Khaliq and Hafiz, whose rows 6 and 7 shift by the wrong amount or to the wrong
side; equation 6 is what is meant:

    3 bits    000 0    001 scale    010 scale << 1    011 scale << 2
                       100 -scale   101 -(scale << 1) 110 -(scale << 2)    111 never
    2 bits    00  0    01  scale    10  -scale                             11  never

All numbers of a file are little-endian. It holds, in this order:

    QSQC, version (u16), number of kernels (u32)
    kernels   phi (u8), across filters (u8), fraction (i16), length of a vector (u32),
              number of axes (u8), axes (u32 each), scales (u32 each),
              words of 2 or 3 bits, one for each value in the order of the vectors, the first one in
              the lowest bits of the first byte; a shorter vector has no words to fill it up
    CRC-32 of everything before it (u32)
"""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qbench.base.errors import QbenchError
from qbench.codes.bit_packing import bytes_of, from_bits, to_bits
from qbench.codes.levels import PHIS, bits_of, positive_codes
from qbench.codes.scalable import Coded
from qbench.codes.vectors import CHANNELS, DIRECTIONS, FILTERS, Cut

MAGIC = b"QSQC"
VERSION = 1
SCALE_BITS = 32
# Four times a scale is the largest decoded number; it fits in an int32.
_MOST = 2**29

_HEAD = "<4sHI"
_KERNEL = "<BBhIB"

Integers = NDArray[np.int32]
Words = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Fixed:
    """A kernel in codes with fixed-point scales.

    Attributes:
        cut: how the kernel is cut into vectors.
        phi: the largest code.
        words: the word of each value, (count, length) uint8; 0 where a vector is shorter.
        scales: (count,) int32, 0 to 2^29, in units of 2^-fraction.
        fraction: number of bits of a scale below the point; may be negative.
    """

    cut: Cut
    phi: int
    words: Words
    scales: Integers
    fraction: int

    @property
    def integers(self) -> Integers:
        """The kernel in units of 2^-fraction, in its shape, int32."""
        return self.cut.kernel(decoded(self.words, self.scales, self.phi))

    @property
    def kernel(self) -> NDArray[np.float64]:
        """The values of the kernel, float64; exact."""
        return np.ldexp(self.integers.astype(np.float64), -self.fraction)


def fixed(coded: Coded) -> Fixed:
    """The fixed-point form of coded values.

    The largest scale has 29 or 30 bits. Every scale is rounded to the nearest number; a scale of
    at least 2^-5 of the largest one is a float32 that comes back exactly.
    """
    largest = float(coded.scales.max(initial=0))
    # 2^(exponent - 1) <= largest < 2^exponent
    fraction = 29 - math.frexp(largest)[1] if largest else 0
    scales = np.rint(np.ldexp(coded.scales.astype(np.float64), fraction)).astype(np.int32)
    return Fixed(coded.cut, coded.phi, words_of(coded.codes, coded.phi), scales, fraction)


def words_of(codes: NDArray[np.int8], phi: int) -> Words:
    """The word of each code, uint8, in the shape of the codes."""
    words = np.zeros(codes.shape, np.uint8)
    minus = _minus(phi)
    for shift, code in enumerate(positive_codes(phi)):
        words[codes == code] = 1 + shift
        words[codes == -code] = minus + shift
    return words


def codes_of(words: Words, phi: int) -> NDArray[np.int8]:
    """The code of each word, int8, in the shape of the words."""
    codes = np.zeros(words.shape, np.int8)
    minus = _minus(phi)
    for shift, code in enumerate(positive_codes(phi)):
        codes[words == 1 + shift] = code
        codes[words == minus + shift] = -code
    return codes


def _minus(phi: int) -> int:
    """The word of -1: the highest bit alone."""
    return 1 << (bits_of(phi) - 1)


def decoded(words: Words, scales: Integers, phi: int) -> Integers:
    """The scales shifted and negated as words say, int32; nothing is multiplied.

    Args:
        words: (count, length).
        scales: (count,) int32, 0 to 2^29.
        phi: the largest code.
    """
    minus = _minus(phi)
    negative = words >= minus
    # The lower bits of a negative word are its shift, those of a positive one are one more.
    shift = np.where(negative, words - minus, np.maximum(words, 1) - 1)
    value = np.left_shift(scales[:, None], shift.astype(np.int32))
    value = np.where(negative, np.negative(value), value)
    return np.where(words == 0, np.int32(0), value)


def pack(kernels: Sequence[Fixed]) -> bytes:
    """The file of some kernels."""
    parts = [struct.pack(_HEAD, MAGIC, VERSION, len(kernels))]
    for one in kernels:
        cut = one.cut
        along = DIRECTIONS.index(cut.along)
        parts += [
            struct.pack(_KERNEL, one.phi, along, one.fraction, cut.length, len(cut.shape)),
            struct.pack(f"<{len(cut.shape)}I", *cut.shape),
            one.scales.astype("<u4").tobytes(),
            to_bits(one.words[_used(cut)], bits_of(one.phi)),
        ]
    body = b"".join(parts)
    return body + struct.pack("<I", zlib.crc32(body))


def _used(cut: Cut) -> NDArray[np.bool_]:
    """Which places of the vectors hold values, (count, length)."""
    return np.arange(cut.length) < cut.filled[:, None]


def unpack(content: bytes) -> tuple[Fixed, ...]:
    """The kernels of a file of `pack`.

    Raises:
        QbenchError: the file is of another kind or version, or it is damaged.
    """
    if len(content) < struct.calcsize(_HEAD) + 4 or not content.startswith(MAGIC):
        raise QbenchError("not a file of scalable codes.")
    _, version, number = struct.unpack_from(_HEAD, content)
    if version != VERSION:
        raise QbenchError(f"scalable codes of version {version}; this qbench reads {VERSION}.")
    if zlib.crc32(content[:-4]) != int.from_bytes(content[-4:], "little"):
        raise QbenchError("damaged scalable codes: their checksum is wrong.")
    reader = _Reader(content[:-4], struct.calcsize(_HEAD))
    try:
        found = tuple(reader.kernel() for _ in range(number))
    except (struct.error, ValueError, IndexError) as error:
        raise QbenchError(f"damaged scalable codes: {error}.") from error
    if reader.left:
        raise QbenchError(f"damaged scalable codes: {reader.left} bytes too many.")
    return found


class _Reader:
    """Reads one kernel after the other."""

    def __init__(self, content: bytes, at: int) -> None:
        self._content = content
        self._at = at

    @property
    def left(self) -> int:
        return len(self._content) - self._at

    def _take(self, count: int) -> bytes:
        if count > self.left:
            raise ValueError(f"{self.left} bytes where {count} are expected")
        self._at += count
        return self._content[self._at - count : self._at]

    def kernel(self) -> Fixed:
        phi, along, fraction, length, axes = struct.unpack(
            _KERNEL, self._take(struct.calcsize(_KERNEL))
        )
        shape = struct.unpack(f"<{axes}I", self._take(4 * axes))
        if phi not in PHIS or along > 1 or axes < 2 or 0 in shape or length == 0:
            raise ValueError("a kernel with an impossible description")
        cut = Cut(shape, FILTERS if along else CHANNELS, length)
        if length > cut.run:
            raise ValueError("vectors longer than the kernel")
        scales = np.frombuffer(self._take(4 * cut.count), "<u4").astype(np.int64)
        if scales.max(initial=0) > _MOST:
            raise ValueError("a scale above 2^29")
        bits = bits_of(phi)
        content = self._take(bytes_of(cut.size, bits))
        words = np.zeros((cut.count, cut.length), np.uint8)
        words[_used(cut)] = from_bits(content, cut.size, bits)
        if not np.array_equal(words_of(codes_of(words, phi), phi), words):
            raise ValueError("a word that is no code")
        return Fixed(cut, phi, words, scales.astype(np.int32), fraction)
