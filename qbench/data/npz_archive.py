"""The arrays of a `.npz` file of numpy, which nobody has to trust."""

from __future__ import annotations

import math
import tokenize
import zipfile
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qbench.base.errors import QbenchError
from qbench.base.memory import usable_memory
from qbench.base.plain import one_line
from qbench.data.images.contents import format_of

_DAMAGED = (zipfile.BadZipFile, zlib.error, ValueError, EOFError, NotImplementedError, RuntimeError)
# numpy reads a header as an expression of Python, whose parser has errors of its own.
_NO_HEADER = (SyntaxError, tokenize.TokenError, MemoryError)


@dataclass(frozen=True)
class Header:
    """What the header of an array says."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    @property
    def size(self) -> int:
        """Bytes of the array."""
        return math.prod(self.shape) * self.dtype.itemsize


def headers(where: str, path: Path) -> dict[str, Header]:
    """Shape and dtype of every array; nothing else is read."""
    try:
        with path.open("rb") as opened:
            start = opened.read(16)
        if not zipfile.is_zipfile(path):
            holds = format_of(start) or "something else"
            raise QbenchError(f"{where}: no .npz file of numpy, it holds {holds}.")
        with zipfile.ZipFile(path) as archive:
            found = {}
            for member in archive.infolist():
                name = member.filename
                if not name.endswith(".npy") or "/" in name or "\\" in name:
                    raise QbenchError(
                        f"{where}: has an entry {one_line(name)[:80]}, which numpy does not write;"
                        " expected arrays of numpy.savez only."
                    )
                found[name.removesuffix(".npy")] = _header(where, archive, member)
    except OSError as error:
        raise QbenchError(
            f"{where}: cannot be read ({error.strerror}); expected an .npz file of numpy."
        ) from error
    except (*_DAMAGED, *_NO_HEADER) as error:
        why = one_line(str(error))[:100] or "a header that numpy cannot read"
        raise QbenchError(f"{where}: damaged ({why}).") from error
    return found


def _header(where: str, archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> Header:
    with archive.open(member) as opened:
        version = np.lib.format.read_magic(opened)
        if version == (1, 0):
            shape, _, dtype = np.lib.format.read_array_header_1_0(opened)
        else:
            shape, _, dtype = np.lib.format.read_array_header_2_0(opened)
        start = opened.tell()
    name = one_line(member.filename)
    if dtype.hasobject:
        raise QbenchError(
            f"{where}: the array {name} holds Python objects, which only a pickle can hold; qbench"
            " reads none. Expected numbers."
        )
    header = Header(shape, dtype)
    if header.size != member.file_size - start:
        raise QbenchError(f"{where}: damaged (the array {name} has not the size that it says).")
    return header


def check_memory(where: str, read: Iterable[Header]) -> None:
    """Refuse arrays that together do not fit in memory, beside what is made of them."""
    size, memory = sum(one.size for one in read), usable_memory()
    if size > memory // 2:
        raise QbenchError(
            f"{where}: its arrays take {size / 1e9:,.1f} GB, more than half of the"
            f" {memory / 1e9:,.1f} GB of memory that qbench may use here; use image files"
            " (data=image_folder), which need not fit."
        )


def read(where: str, path: Path, names: Sequence[str]) -> list[NDArray[Any]]:
    """Arrays by their names; nothing is unpickled."""
    try:
        with np.load(path, allow_pickle=False) as archive:
            return [archive[name] for name in names]
    except (OSError, *_DAMAGED) as error:
        raise QbenchError(f"{where}: damaged ({one_line(str(error))[:100]}).") from error
