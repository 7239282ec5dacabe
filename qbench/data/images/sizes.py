"""The sizes of image files, from their headers, for data sets without a resolution."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from qbench.base.errors import QbenchError
from qbench.data.cache import Undecodable
from qbench.data.images.contents import LARGEST, held, threads
from qbench.data.images.decoding import size_of
from qbench.data.images.problems import some

_USUAL = (8, 16, 32, 48, 64, 96, 128, 160, 192, 224)


def several_sizes(where: str, files: Sequence[Path]) -> QbenchError:
    """The error for images of several sizes, which proposes a resolution."""
    with ThreadPoolExecutor(threads()) as pool:
        counts = Counter(size for size in pool.map(_size, files) if size)
    named = [
        f"{width:,} x {height:,} ({number:,})"
        for (width, height), number in sorted(counts.items(), key=lambda one: (-one[1], one[0]))
    ]
    return QbenchError(
        f"{where}: the images have {len(counts):,} sizes: {some(named)}; set the side in pixels of"
        " the images that the network reads, for example"
        f" data.resolution={_proposed([min(size) for size in counts.elements()])}."
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
