"""CIFAR-10 (Krizhevsky 2009): the official binary or Python layout, or a download through Keras.

Binary: files of 10,000 records, each a label byte and 3,072 pixel bytes, the red, green and blue
planes of 32 x 32 row by row. Python: pickled dictionaries with `data` (10,000 x 3,072 uint8) and
`labels`.
"""

from __future__ import annotations

import io
import pickle
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qbench.base.errors import QbenchError
from qbench.data import folders
from qbench.data.download import through_keras
from qbench.data.source import DATASETS, Source

RECORDS = 10_000
PIXELS = 3_072
TRAIN_FILES = tuple(f"data_batch_{k}" for k in range(1, 6))
TEST_FILE = "test_batch"

Part = tuple[NDArray[np.uint8], NDArray[Any]]


def read_binary(path: Path, records: int = RECORDS) -> Part:
    """Images (records, 32, 32, 3) and labels of one binary file."""
    raw = _bytes(path)
    if len(raw) != records * (PIXELS + 1):
        raise QbenchError(
            f"{path}: {len(raw):,} bytes; expected {records * (PIXELS + 1):,}, {records:,} records"
            f" of {PIXELS + 1:,} bytes."
        )
    table = np.frombuffer(raw, np.uint8).reshape(records, PIXELS + 1)
    return _images(table[:, 1:]), table[:, 0]


def read_python(path: Path, records: int = RECORDS) -> Part:
    """Images and labels of one pickled file, read by an unpickler that only makes arrays."""
    try:
        batch = _ArraysOnly(io.BytesIO(_bytes(path)), encoding="bytes").load()
        pixels = np.asarray(batch[b"data"])
        labels = np.atleast_1d(np.asarray(batch[b"labels"]))
    except _Refused as error:
        raise QbenchError(f"{path}: {error}") from error
    except Exception as error:  # a damaged pickle can raise nearly any exception
        raise QbenchError(
            f"{path}: cannot be read ({type(error).__name__}: {error}); expected a batch of"
            " CIFAR-10's Python version."
        ) from error
    wrong = pixels.dtype != np.uint8 or pixels.shape != (records, PIXELS)
    if wrong or len(labels) != records or labels.dtype.kind not in "iu":
        raise QbenchError(
            f"{path}: {pixels.dtype} pixels of shape {pixels.shape} and {len(labels)} labels"
            f" ({labels.dtype}); expected uint8 of shape ({records}, {PIXELS}) and {records} whole"
            " numbers."
        )
    return _images(pixels), labels


class _Refused(Exception):
    """A pickle asked for something that is not part of an array."""


class _ArraysOnly(pickle.Unpickler):
    """An unpickler that loads only the classes that a pickled numpy array needs."""

    _ALLOWED = frozenset(
        {
            ("numpy.core.multiarray", "_reconstruct"),
            ("numpy._core.multiarray", "_reconstruct"),
            ("numpy", "ndarray"),
            ("numpy", "dtype"),
            ("_codecs", "encode"),
        }
    )

    def find_class(self, module: str, name: str) -> Any:
        """Called for every global that the pickle names."""
        if (module, name) not in self._ALLOWED:
            raise _Refused(
                f"the pickle asks for {module}.{name}, which a CIFAR-10 batch never holds; it was"
                " not read."
            )
        if module.startswith("numpy.core"):
            module = module.replace("numpy.core", "numpy._core", 1)
        return super().find_class(module, name)


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise QbenchError(f"{path}: cannot be read ({error.strerror}).") from error


def _images(planes: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(n, 3072) planes -> (n, 32, 32, 3)."""
    return np.ascontiguousarray(planes.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1))


# For each version: the end of its file names, and the function that reads such a file.
VERSIONS = ((".bin", read_binary), ("", read_python))
PUBLISHED = ("cifar-10-batches-bin", "cifar-10-batches-py")


def read(folder: Path | None, records: int = RECORDS) -> Any:
    """Images and labels of both parts, from `folder` or a folder in it; None: Keras' download."""
    if folder is None:
        return through_keras("cifar10")
    place = _place(folder)
    suffix, reader = next(each for each in VERSIONS if _holds(place, each[0]))
    parts = [reader(place / (name + suffix), records) for name in TRAIN_FILES]
    images, labels = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    return images, labels, *reader(place / (TEST_FILE + suffix), records)


def _holds(place: Path, suffix: str) -> bool:
    return (place / (TEST_FILE + suffix)).is_file()


def _place(folder: Path) -> Path:
    """The folder of the files: `folder`, a folder in it with a published name, or any in it."""
    published = [[folder / name] for name in PUBLISHED]
    for level in ([folder], *published, folders.below(folder)):
        found = [place for place in level if any(_holds(place, suffix) for suffix, _ in VERSIONS)]
        if len(found) > 1:
            raise folders.several(folder, "CIFAR-10", found)
        if found:
            return found[0]
    raise QbenchError(
        f"{folder}: holds neither {TEST_FILE}.bin (binary version) nor {TEST_FILE} (Python"
        " version) of CIFAR-10, nor does a folder in it; expected one of them, unpacked."
    )


DATASETS.add("cifar10", Source((32, 32, 3), 10, flip=True, read=read, known={}))
