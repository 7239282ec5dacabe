"""Writes and reads the codes of a network bit by bit, with their grids.

All numbers are little-endian; an array is its number of axes (u8), its axes (u32 each) and its
values. A file holds, in this order:

    QBPK, version (u16), numbers of tensors, layers and other arrays (u32 each)
    tensors   scale (f32) and zero point (i32) of each
    layers    kernel: 1 (u8), bits (u8), lowest code (i32), zero point (i32), scales (array of f32),
              axes as of an array, then (code - lowest) in `bits` bits each, the first code in the
              lowest bits of the first byte
              or 2 (u8), bits (u8), levels (array of f32), scales (array of f32), axes, codes of
              levels in `bits` bits each
              or 0 (u8) and an array of f32
              bias: 1 (u8) and an array of i32, or 0 (u8) and an array of f32
    others    arrays of f32
    CRC-32 of everything before it (u32)

There are no names: layers and tensors are in the order of the network's graph.
"""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qbench.base.errors import QbenchError
from qbench.codes.bit_packing import bytes_of, from_bits, to_bits
from qbench.deploy.grids import Grid

MAGIC = b"QBPK"
VERSION = 2
MOST_BITS = 16

Floats = NDArray[np.float32]
Integers = NDArray[np.int32]

_HEAD = "<4sHIII"


@dataclass(frozen=True, eq=False)
class Codes:
    """A kernel's integers; its values are scales * (codes - zero_point).

    Attributes:
        codes: int32 of any shape, output channels last; from `lowest` to lowest + 2^bits - 1.
        bits: number of bits of a stored code, 1 to 16.
        lowest: the smallest code that can be stored.
        zero_point: the code of 0.
        scales: (1,) or (channels,) float32; a folded normalization may make them negative.
    """

    codes: Integers
    bits: int
    lowest: int
    zero_point: int
    scales: Floats


@dataclass(frozen=True, eq=False)
class BookCodes:
    """A kernel's codes in a code book; its values are scales * levels[codes].

    Attributes:
        codes: int32 of any shape, output channels last; from 0 to len(levels) - 1.
        bits: number of bits of a stored code, 1 to 16.
        levels: (n,) float32.
        scales: (1,) or (channels,) float32; a folded normalization may make them negative.
    """

    codes: Integers
    bits: int
    levels: Floats
    scales: Floats

    @property
    def values(self) -> Floats:
        """The weights that the codes stand for, float32 in the shape of `codes`."""
        result: Floats = self.levels[self.codes] * self.scales
        return result


@dataclass(frozen=True, eq=False)
class Layer:
    """A convolution or dense layer with batch normalization folded in.

    Attributes:
        kernel: the codes of the kernel, or its float32 values.
        bias: (channels,) int32 with the scale of the input times the scale of the kernel (Jacob et
            al. 2018, eq. 11), or float32.
    """

    kernel: Codes | BookCodes | Floats
    bias: Integers | Floats


@dataclass(frozen=True, eq=False)
class Packed:
    """The contents of a file.

    Attributes:
        tensors: the grid of each activation; scales are float32 values.
        layers: kernels and biases.
        others: weights of other layers.
    """

    tensors: tuple[Grid, ...]
    layers: tuple[Layer, ...]
    others: tuple[Floats, ...]


def pack(model: Packed) -> bytes:
    """Write a model as a file; ValueError if a code does not fit in its bits."""
    counts = len(model.tensors), len(model.layers), len(model.others)
    parts = [struct.pack(_HEAD, MAGIC, VERSION, *counts)]
    parts += [struct.pack("<fi", grid.scale, grid.zero_point) for grid in model.tensors]
    for layer in model.layers:
        parts += [_kernel(layer.kernel), _bias(layer.bias)]
    parts += [_array(values, "<f4") for values in model.others]
    body = b"".join(parts)
    return body + struct.pack("<I", zlib.crc32(body))


def _kernel(kernel: Codes | BookCodes | Floats) -> bytes:
    if not isinstance(kernel, Codes | BookCodes):
        return b"\x00" + _array(kernel, "<f4")
    if not 1 <= kernel.bits <= MOST_BITS:
        raise ValueError(f"codes of {kernel.bits} bits; expected 1 to {MOST_BITS}")
    if isinstance(kernel, BookCodes):
        book = _array(kernel.levels, "<f4") + _array(kernel.scales, "<f4")
        head = struct.pack("<BB", 2, kernel.bits) + book + _shape(kernel.codes.shape)
        return head + to_bits(kernel.codes, kernel.bits)
    head = struct.pack("<BBii", 1, kernel.bits, kernel.lowest, kernel.zero_point)
    offsets = kernel.codes.astype(np.int64) - kernel.lowest
    shape = _shape(kernel.codes.shape)
    return head + _array(kernel.scales, "<f4") + shape + to_bits(offsets, kernel.bits)


def _bias(bias: Integers | Floats) -> bytes:
    whole = bias.dtype == np.int32
    return bytes([whole]) + _array(bias, "<i4" if whole else "<f4")


def _array(values: NDArray[Any], form: str) -> bytes:
    return _shape(values.shape) + np.ascontiguousarray(values).astype(form).tobytes()


def _shape(shape: Sequence[int]) -> bytes:
    return struct.pack(f"<B{len(shape)}I", len(shape), *shape)


def unpack(content: bytes) -> Packed:
    """Read a model from a file of `pack`.

    Raises:
        QbenchError: the file is of another kind or version, or it is damaged.
    """
    reader = _Reader(content)
    if len(content) < struct.calcsize(_HEAD) + 4 or not content.startswith(MAGIC):
        raise QbenchError("not a packed model.")
    _, version, *counts = reader.numbers(_HEAD)
    if version != VERSION:
        raise QbenchError(f"a packed model of version {version}; this qbench reads {VERSION}.")
    if zlib.crc32(content[:-4]) != int.from_bytes(content[-4:], "little"):
        raise QbenchError("a damaged packed model: its checksum is wrong.")
    tensors = tuple(Grid(*reader.numbers("<fi")) for _ in range(counts[0]))
    layers = tuple(Layer(reader.kernel(), reader.bias()) for _ in range(counts[1]))
    return Packed(tensors, layers, tuple(reader.array("<f4") for _ in range(counts[2])))


class _Reader:
    """Reads one part after the other from a file with a correct checksum."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._at = 0

    def _take(self, count: int) -> bytes:
        self._at += count
        return self._content[self._at - count : self._at]

    def numbers(self, form: str) -> tuple[Any, ...]:
        return struct.unpack(form, self._take(struct.calcsize(form)))

    def shape(self) -> tuple[int, ...]:
        (axes,) = self.numbers("<B")
        return self.numbers(f"<{axes}I")

    def array(self, form: str) -> NDArray[Any]:
        shape = self.shape()
        values = np.frombuffer(self._take(4 * math.prod(shape)), form).reshape(shape)
        return values.astype(values.dtype.newbyteorder("="))

    def kernel(self) -> Codes | BookCodes | Floats:
        (form,) = self.numbers("<B")
        if form == 0:
            return self.array("<f4")
        if form == 2:
            (bits,) = self.numbers("<B")
            levels, scales = self.array("<f4"), self.array("<f4")
            return BookCodes(self.codes(bits), bits, levels, scales)
        bits, lowest, zero_point = self.numbers("<Bii")
        scales = self.array("<f4")
        return Codes(self.codes(bits, lowest), bits, lowest, zero_point, scales)

    def codes(self, bits: int, lowest: int = 0) -> Integers:
        shape = self.shape()
        count = math.prod(shape)
        offsets = from_bits(self._take(bytes_of(count, bits)), count, bits)
        return (offsets.astype(np.int64) + lowest).astype(np.int32).reshape(shape)

    def bias(self) -> Integers | Floats:
        return self.array("<i4" if self.numbers("<B") == (1,) else "<f4")


def identical(one: Packed, other: Packed) -> bool:
    """Whether two models are equal to the last bit, in values, types and shapes."""
    return _plain(one) == _plain(other)


def _plain(model: Packed) -> list[Any]:
    said: list[Any] = [(grid.scale, grid.zero_point) for grid in model.tensors]
    for layer in model.layers:
        kernel = layer.kernel
        if isinstance(kernel, Codes):
            said.append((kernel.bits, kernel.lowest, kernel.zero_point))
            said += [_content(kernel.codes), _content(kernel.scales)]
        elif isinstance(kernel, BookCodes):
            arrays = kernel.codes, kernel.levels, kernel.scales
            said += [kernel.bits, *map(_content, arrays)]
        else:
            said.append(_content(kernel))
        said.append(_content(layer.bias))
    return said + [_content(values) for values in model.others]


def _content(values: NDArray[Any]) -> tuple[str, tuple[int, ...], bytes]:
    return values.dtype.name, values.shape, values.tobytes()
