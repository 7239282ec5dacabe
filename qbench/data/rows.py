"""Images on disk: parts of them without a copy, batches of them, their hashes.

Images on disk are arrays that are mapped from a file, and parts of such arrays by index. They may
be larger than memory, so no function here holds more than a piece of them.
"""

from __future__ import annotations

import hashlib
import mmap
from collections.abc import Iterator
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from qbench.data.cache import Mapped

_PIECE_BYTES = 1 << 24


class Rows:
    """Some images of an array on disk, in any order; they are read when they are needed.

    Attributes:
        images: the array (M, ...) uint8.
        rows: (N,) the indices of the images.
    """

    def __init__(self, images: NDArray[np.uint8], rows: NDArray[np.integer[Any]]) -> None:
        """Indices must lie between 0 and M - 1; IndexError otherwise."""
        self.images = images
        self.rows = np.asarray(rows, np.int64)
        if self.rows.size and not 0 <= self.rows.min() <= self.rows.max() < len(images):
            raise IndexError(f"indices {rows} of {len(images)} images")

    @property
    def shape(self) -> tuple[int, ...]:
        """(N, ...)."""
        return (len(self.rows), *self.images.shape[1:])

    @property
    def dtype(self) -> np.dtype[np.uint8]:
        """uint8."""
        return self.images.dtype

    @property
    def ndim(self) -> int:
        """The number of dimensions."""
        return self.images.ndim

    def __len__(self) -> int:
        """The number of images."""
        return len(self.rows)

    def __getitem__(self, chosen: slice) -> Rows:
        """The images of a slice, not yet read."""
        return Rows(self.images, self.rows[chosen])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        """All images in memory."""
        array = np.take(self.images, self.rows, axis=0)
        return array if dtype is None else array.astype(dtype, copy=False)


Images: TypeAlias = NDArray[np.uint8] | Rows


def on_disk(images: Any) -> bool:
    """Whether these are Rows, or an array whose memory is a mapped file."""
    if isinstance(images, Rows):
        return True
    base = images
    while isinstance(base, np.ndarray):
        base = base.base
    return isinstance(base, mmap.mmap)


def gathered(images: Images, indices: NDArray[np.integer[Any]]) -> NDArray[np.uint8]:
    """The images of these indices, in memory."""
    if isinstance(images, Rows):
        return gathered(images.images, images.rows[indices])
    return np.take(images, indices, axis=0)


def subset(images: Images, taken: NDArray[np.bool_]) -> Images:
    """The images whose value in `taken` is true, in order; on disk, if `images` are."""
    if isinstance(images, Rows):
        return Rows(images.images, images.rows[taken])
    return Rows(images, np.flatnonzero(taken)) if on_disk(images) else images[taken]


def pieces(array: NDArray[Any] | Rows) -> Iterator[NDArray[Any]]:
    """The array in order and in pieces; a contiguous array in memory is one piece."""
    if not on_disk(array):
        yield np.ascontiguousarray(array)
        return
    count = max(1, _PIECE_BYTES // max(1, int(np.prod(array.shape[1:])) * array.dtype.itemsize))
    for first in range(0, len(array), count):
        yield np.ascontiguousarray(array[first : first + count])


def update(digest: Any, array: NDArray[Any] | Rows) -> None:
    """Add dtype, shape and bytes of an array to a hash of hashlib."""
    digest.update(f"{array.dtype.str}{array.shape}".encode())
    for piece in pieces(array):
        digest.update(piece.data)


def known_digest(array: NDArray[Any] | Rows) -> list[str] | None:
    """What identifies the content of images of the cache without reading it; None for others.

    Such images are a whole set, a contiguous part of one, or Rows of either.
    """
    if isinstance(array, Rows):
        known = known_digest(array.images)
        return known and [*known, hashlib.sha256(array.rows.tobytes()).hexdigest()]
    if array.dtype != np.uint8 or not array.flags.c_contiguous:
        return None
    base: Any = array
    while isinstance(base, np.ndarray):
        if isinstance(base, Mapped) and base.digest is not None:
            first = array.ctypes.data - base.ctypes.data
            return [base.digest, f"{first} to {first + array.nbytes}"]
        base = base.base
    return None
