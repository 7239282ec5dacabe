"""Reads a file of a trained network of any kind."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from qbench.base.errors import QbenchError
from qbench.base.outside import GivenFile
from qbench.models.saved import archive, hdf5
from qbench.models.saved.stored import Stored


def read(file: GivenFile) -> Stored:
    """The content of a `.keras`, `.weights.h5` or `.h5` file; the bytes say which one it is.

    Raises:
        QbenchError: the file is damaged, is of another kind, or does what such a file never does.
    """
    return _read(file.sha256, file)


@lru_cache(maxsize=2)
def _read(sha256: str, file: GivenFile) -> Stored:
    content = file.content()
    try:
        if hdf5.is_hdf5(content):
            found = hdf5.read(content)
        elif archive.is_archive(content):
            found = archive.read(content)
        else:
            raise QbenchError("it is neither a .keras archive nor an HDF5 file.")
        _check_finite(found)
    except QbenchError as error:
        raise QbenchError(f"{file.shown}: {error}") from error
    return found


def _check_finite(found: Stored) -> None:
    if not found.layers:
        raise QbenchError("it has no weights of layers.")
    for name, arrays in found.layers.items():
        for array in arrays.values():
            if array.dtype.kind == "f" and not np.isfinite(array).all():
                raise QbenchError(f"the weights of {name} are not finite.")
