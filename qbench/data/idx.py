"""MNIST and Fashion-MNIST: four IDX files, or a download through Keras.

IDX (http://yann.lecun.com/exdb/mnist): two zero bytes, a type code (8: unsigned byte), the number
of dimensions, each dimension as a big-endian 32-bit integer, then the values.
"""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from qbench.data.dataset import DATASETS, Arrays, Source
from qbench.data.download import through_keras
from qbench.errors import QbenchError

UNSIGNED_BYTE = 8


def read_idx(path: Path, dimensions: int) -> NDArray[np.uint8]:
    """The array in an IDX file, plain or gzipped; QbenchError if it is not whole."""
    try:
        raw = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
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


def _find(folder: Path, stem: str) -> Path:
    for name in (stem, f"{stem}.gz"):
        if (folder / name).is_file():
            return folder / name
    raise QbenchError(f"{folder / stem}: no such file, nor with .gz; expected an IDX file.")


def read(keras_name: str, folder: Path | None) -> Arrays:
    """The four arrays, from `folder` if one is given."""
    if folder is None:
        (train, labels), (test, test_labels) = through_keras(keras_name)
    else:
        train = read_idx(_find(folder, "train-images-idx3-ubyte"), 3)
        labels = read_idx(_find(folder, "train-labels-idx1-ubyte"), 1)
        test = read_idx(_find(folder, "t10k-images-idx3-ubyte"), 3)
        test_labels = read_idx(_find(folder, "t10k-labels-idx1-ubyte"), 1)
    return (
        train[..., np.newaxis],
        labels.astype(np.int64),
        test[..., np.newaxis],
        test_labels.astype(np.int64),
    )


MNIST = {"1ab36173c5442eefac1052e16cd4f6fadab376babf2649f6ff42f84b978b3824": "the published pixels"}

DATASETS.add("mnist", Source((28, 28, 1), 10, flip=False, read=partial(read, "mnist"), known=MNIST))
DATASETS.add(
    "fashion_mnist",
    Source((28, 28, 1), 10, flip=True, read=partial(read, "fashion_mnist"), known={}),
)
