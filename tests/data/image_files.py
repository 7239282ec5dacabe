"""Small image files for tests, also of forms that Pillow does not write."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image


def noise(seed: int, height: int = 6, width: int = 8, channels: int = 3) -> NDArray[np.uint8]:
    """An image (height, width, channels), or (height, width) for one channel."""
    shape = (height, width, channels) if channels > 1 else (height, width)
    return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)


def write(path: Path, image: Any, **how: Any) -> Path:
    """Write an array or a Pillow image, with the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = image if isinstance(image, Image.Image) else Image.fromarray(image)
    picture.save(path, **how)
    return path


def tree(folder: Path, classes: int = 3, images: int = 10, first: int = 0) -> Path:
    """A folder for each class `c0`, `c1`, ..., with different PNG images; returns the folder."""
    for label in range(classes):
        for number in range(images):
            seed = first + 1000 * label + number
            write(folder / f"c{label}" / f"{number}.png", noise(seed))
    return folder


def png(
    header: tuple[int, int, int, int],
    rows: bytes,
    *more: tuple[bytes, bytes],
    interlaced: bool = False,
) -> bytes:
    """A PNG file.

    Args:
        header: width, height, bits of a value, type of colour.
        rows: the bytes of the image, each row with its filter byte.
        *more: chunks between header and image, by name.
        interlaced: whether the rows are those of the seven passes of Adam7.
    """
    start = struct.pack(">IIBBBBB", *header, 0, 0, interlaced)
    chunks = [(b"IHDR", start), *more, (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        for name, body in chunks
    )
