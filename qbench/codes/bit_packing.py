"""Writes and reads whole numbers of a few bits each, without gaps."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

# Number of values that are handled at once; a multiple of 8, so that each block fills whole bytes.
_BLOCK = 1 << 16


def to_bits(values: NDArray[Any], bits: int) -> bytes:
    """Write values from 0 to 2^bits - 1 in `bits` bits each; zeros fill the last byte."""
    flat = np.asarray(values).reshape(-1)
    if flat.size and not 0 <= int(flat.min()) <= int(flat.max()) < 2**bits:
        raise ValueError(f"values from {flat.min()} to {flat.max()} do not fit in {bits} bits")
    parts = []
    for start in range(0, flat.size, _BLOCK):
        octets = flat[start : start + _BLOCK].astype("<u2").view(np.uint8).reshape(-1, 2)
        each = np.unpackbits(octets, axis=1, bitorder="little")[:, :bits]
        parts.append(np.packbits(each, bitorder="little").tobytes())
    return b"".join(parts)


def from_bits(content: bytes, count: int, bits: int) -> NDArray[np.uint16]:
    """Read the `count` values that `to_bits` wrote into `content`."""
    values = np.empty(count, "<u2")
    for start in range(0, count, _BLOCK):
        number = min(_BLOCK, count - start)
        first = start * bits // 8
        part = np.frombuffer(content, np.uint8)[first : first + bytes_of(number, bits)]
        each = np.zeros((number, 16), np.uint8)
        spread = np.unpackbits(part, count=number * bits, bitorder="little")
        each[:, :bits] = spread.reshape(number, bits)
        values[start : start + number] = np.packbits(each, bitorder="little").view("<u2")
    return values.astype(np.uint16)


def bytes_of(count: int, bits: int) -> int:
    """Number of bytes that `count` values of `bits` bits take."""
    return -(-count * bits // 8)
