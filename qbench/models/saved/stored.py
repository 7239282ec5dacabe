"""What a file of a trained network holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qbench.base.errors import QbenchError
from qbench.base.outside import GivenFile

Arrays = Mapping[str, NDArray[Any]]
"""The arrays of one layer by name, in their order: `vars/0`, or names such as `kernel`."""


@dataclass(frozen=True)
class Stored:
    """The content of a file of a trained network.

    Attributes:
        layers: the arrays of every layer that has some, by the layer's name. The states of random
            generators and of the optimizer are left out.
        named: whether the keys of `layers` are names of layers. Without names they are Keras'
            places, such as `layers/conv2d_1`.
        legacy: whether the arrays have names, as in files of Keras 2; else they have numbers.
        config: the description of the network as plain data; None in a file of weights alone.
        inside: by the name of a model inside the model, the arrays of its layers, by their paths
            such as `base/block/conv`.
        joined: the layers of a file of Keras 2 with layers inside, whose arrays it does not keep
            apart.
    """

    layers: Mapping[str, Arrays]
    named: bool
    legacy: bool
    config: Mapping[str, Any] | None
    inside: Mapping[str, Mapping[str, Arrays]] = field(default_factory=dict)
    joined: frozenset[str] = frozenset()

    @property
    def values(self) -> int:
        """The number of values in all arrays."""
        return sum(array.size for arrays in self.layers.values() for array in arrays.values())


def read(file: GivenFile) -> Stored:
    """The content of a `.keras`, `.weights.h5` or `.h5` file; the bytes say which one it is.

    Raises:
        QbenchError: the file is damaged, is of another kind, or does what such a file never does.
    """
    return _read(file.sha256, file)


@lru_cache(maxsize=2)
def _read(sha256: str, file: GivenFile) -> Stored:
    from qbench.models.saved import archive, hdf5

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
