"""MNIST and Fashion-MNIST: four IDX files, or a download through Keras.

IDX (http://yann.lecun.com/exdb/mnist): two zero bytes, a type code (8: unsigned byte), the number
of dimensions, each dimension as a big-endian 32-bit integer, then the values. `idx_files` finds the
files.
"""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qbench.base.errors import QbenchError
from qbench.data import idx_files
from qbench.data.download import through_keras
from qbench.data.source import DATASETS, Source

UNSIGNED_BYTE = 8
GZIP = b"\x1f\x8b"


def read_idx(path: Path, dimensions: int) -> NDArray[np.uint8]:
    """The array in an IDX file, which may be gzipped; QbenchError if the file is damaged."""
    try:
        raw = path.read_bytes()
        if raw.startswith(GZIP):
            raw = gzip.decompress(raw)
    except (OSError, EOFError, zlib.error) as error:
        raise QbenchError(f"{path}: cannot be read ({error}); expected an IDX file.") from error
    head = 4 + 4 * dimensions
    if len(raw) < head or raw[:4] != bytes([0, 0, UNSIGNED_BYTE, dimensions]):
        raise QbenchError(
            f"{path}: not an IDX file of unsigned bytes with {dimensions} dimension(s)."
        )
    shape = struct.unpack(f">{dimensions}I", raw[4:head])
    expected = math.prod(shape)
    if len(raw) - head != expected:
        raise QbenchError(
            f"{path}: {len(raw) - head} values after the header; its shape {shape} says {expected}."
        )
    return np.frombuffer(raw, np.uint8, offset=head).reshape(shape)


def _agreed(paths: list[Path], dimensions: int) -> NDArray[np.uint8]:
    """The array of a file. If it exists in several forms (plain, gzipped), all must be equal."""
    first = read_idx(paths[0], dimensions)
    for other in paths[1:]:
        if not np.array_equal(read_idx(other, dimensions), first):
            raise QbenchError(
                f"{paths[0]} and {other}: hold different values; expected one of them, or twice"
                " the same."
            )
    return first


def read(name: str, folder: Path | None) -> Any:
    """Images (N, 28, 28) and labels (N,), uint8, of both parts; from `folder` if one is given."""
    if folder is None:
        return through_keras(name)
    files = idx_files.find(folder, name)
    return tuple(_agreed(files.of(role), role.dimensions) for role in idx_files.ROLES)


MNIST = {"1ab36173c5442eefac1052e16cd4f6fadab376babf2649f6ff42f84b978b3824": "the published pixels"}

DATASETS.add("mnist", Source((28, 28, 1), 10, flip=False, read=partial(read, "mnist"), known=MNIST))
DATASETS.add(
    "fashion_mnist",
    Source((28, 28, 1), 10, flip=True, read=partial(read, "fashion_mnist"), known={}),
)
