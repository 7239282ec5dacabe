"""Writes small data files in their true formats, without qbench's help."""

from __future__ import annotations

import gzip
import pickle
import struct
from pathlib import Path
from typing import Any

import numpy as np

TRAIN_IMAGES, TRAIN_LABELS = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"
TEST_IMAGES, TEST_LABELS = "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"


def idx_bytes(array: Any, kind: int = 8) -> bytes:
    """An IDX file: 0, 0, type code, dimensions, each as a big-endian 32-bit number, the values."""
    array = np.asarray(array, np.uint8)
    head = bytes([0, 0, kind, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
    return head + array.tobytes()


def mnist_arrays(train: int = 5, test: int = 3, seed: int = 0) -> dict[str, Any]:
    """Random images and labels by file name."""
    generator = np.random.default_rng(seed)
    return {
        TRAIN_IMAGES: generator.integers(0, 256, (train, 28, 28), np.uint8),
        TRAIN_LABELS: generator.integers(0, 10, train, np.uint8),
        TEST_IMAGES: generator.integers(0, 256, (test, 28, 28), np.uint8),
        TEST_LABELS: generator.integers(0, 10, test, np.uint8),
    }


def write_mnist(folder: Path, arrays: dict[str, Any], gz: bool = False) -> None:
    for name, array in arrays.items():
        raw = idx_bytes(array)
        if gz:
            (folder / f"{name}.gz").write_bytes(gzip.compress(raw))
        else:
            (folder / name).write_bytes(raw)


def cifar_planes(records: int, seed: int = 0) -> tuple[Any, Any]:
    """Pixels (records, 3072), the red, green and blue planes of each image, and labels."""
    generator = np.random.default_rng(seed)
    pixels = generator.integers(0, 256, (records, 3072), np.uint8)
    return pixels, generator.integers(0, 10, records, np.uint8)


def cifar_binary(pixels: Any, labels: Any) -> bytes:
    """Records of one label byte and 3072 pixel bytes."""
    return b"".join(
        bytes([label]) + row.tobytes() for label, row in zip(labels, pixels, strict=True)
    )


def cifar_python(pixels: Any, labels: Any) -> bytes:
    """As Python 3 pickles the official dictionaries."""
    batch = {b"data": pixels, b"labels": [int(label) for label in labels], b"batch_label": b"x"}
    return pickle.dumps(batch, protocol=2)


def _short(text: bytes) -> bytes:
    """SHORT_BINSTRING, how Python 2 pickles a str."""
    return b"U" + bytes([len(text)]) + text


def cifar_python2(pixels: Any, labels: Any) -> bytes:
    """Byte for byte in the manner of Python 2's cPickle, protocol 2, and numpy of 2009.

    The pickled array is numpy.core.multiarray._reconstruct(ndarray, (0,), 'b') with the state
    (1, shape, dtype('u1'), False, bytes).
    """
    raw = pixels.tobytes()
    rows, columns = pixels.shape
    array = (
        b"cnumpy.core.multiarray\n_reconstruct\n"
        + (b"cnumpy\nndarray\n" + b"K\x00\x85" + _short(b"b") + b"\x87R")
        + (b"(K\x01" + b"M" + struct.pack("<H", rows) + b"M" + struct.pack("<H", columns) + b"\x86")
        + (b"cnumpy\ndtype\n" + _short(b"u1") + b"K\x00K\x01\x87R")
        + (b"(K\x03" + _short(b"|") + b"NNN" + b"J\xff\xff\xff\xff" * 2 + b"K\x00tb")
        + (b"\x89" + b"T" + struct.pack("<i", len(raw)) + raw + b"tb")
    )
    numbers = b"".join(b"K" + bytes([label]) for label in labels)
    items = _short(b"data") + array + _short(b"labels") + b"](" + numbers + b"e"
    return b"\x80\x02}(" + items + b"u."


def write_cifar(folder: Path, records: int, layout: str) -> list[tuple[Any, Any]]:
    """Five training files and the test file; returns the parts in that order."""
    encode = {"bin": cifar_binary, "py": cifar_python, "py2": cifar_python2}[layout]
    names = [*(f"data_batch_{k}" for k in range(1, 6)), "test_batch"]
    parts = [cifar_planes(records, seed) for seed in range(6)]
    for name, (pixels, labels) in zip(names, parts, strict=True):
        suffix = ".bin" if layout == "bin" else ""
        (folder / (name + suffix)).write_bytes(encode(pixels, labels))
    return parts
