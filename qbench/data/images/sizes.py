"""The sizes of image files, from their headers, for data sets without a resolution."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from qbench.base.errors import QbenchError
from qbench.data.cache import Undecodable
from qbench.data.images.contents import LARGEST, held, threads
from qbench.data.images.decoding import quietly, size_of

_USUAL = (8, 16, 32, 48, 64, 96, 128, 160, 192, 224)


def first_size(where: str, files: Sequence[Path]) -> tuple[int, int]:
    """Height and width of the first image that can be opened.

    Raises:
        QbenchError: there is none.
    """
    with quietly():
        found = next((size for size in map(_size, files) if size), None)
    if found is None:
        raise QbenchError(f"{where}: none of {len(files):,} files can be opened as an image.")
    width, height = found
    return height, width


def several_sizes(where: str, files: Sequence[Path]) -> QbenchError:
    """The error for images of several sizes, which proposes a resolution."""
    with ThreadPoolExecutor(threads()) as pool:
        every = [one for one in pool.map(_size, files) if one]
    sizes = sorted(set(every), key=lambda size: (size[0] * size[1], size))
    (width, height), (wide, high) = sizes[0], sizes[-1]
    return QbenchError(
        f"{where}: the images have {len(sizes):,} sizes, from {width} x {height} to {wide} x {high}"
        " pixels; set the side of the images that the network reads, for example"
        f" data.resolution={_proposed([min(size) for size in every])}."
    )


def _size(file: Path) -> tuple[int, int] | None:
    try:
        if not file.is_file() or file.stat().st_size > LARGEST:
            return None
        with held(file) as content:
            return size_of(content)
    except (OSError, Undecodable):
        return None
    except MemoryError as error:
        raise QbenchError(f"{file}: does not fit in memory.") from error


def _proposed(sides: list[int]) -> int:
    """A usual resolution that half of the images reach."""
    middle = sorted(sides)[len(sides) // 2]
    return max((side for side in _USUAL if side <= middle), default=middle)
