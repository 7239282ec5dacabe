"""The weights of a layer of the network, and whether the arrays of a file fit them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from qbench.models.saved.hdf5 import arrays_by_place, is_generator
from qbench.models.saved.stored import Arrays
from qbench.storage.weights import weights_file

_OWN = re.compile(r"vars/\d+")  # a variable of a layer itself, not of a layer inside it


@dataclass(frozen=True)
class OwnLayer:
    """A layer of the network.

    Attributes:
        place: where Keras' file of the network has it.
        arrays: its arrays by place below.
        names: the names of its own variables, in their order.
    """

    place: str
    arrays: Arrays
    names: tuple[str, ...]

    def fitting(self, theirs: Arrays, legacy: bool) -> dict[str, NDArray[Any]] | str:
        """The arrays of a file for this layer, or the difference as text."""
        if len(theirs) != len(self.arrays):
            return f"{len(theirs)} arrays in the file, {len(self.arrays)} in the network"
        if legacy and not all(_OWN.fullmatch(key) for key in self.arrays):
            return "has layers inside, which an .h5 file of Keras 2 does not keep apart"
        given = self._by_name(theirs) if legacy else theirs
        if given.keys() != self.arrays.keys():
            return "other variables"
        for key, array in self.arrays.items():
            if said := _difference(array, given[key]):
                return said
        return {key: given[key] for key in self.arrays}

    def _by_name(self, theirs: Arrays) -> Arrays:
        """The arrays of a file of Keras 2 in the order of this layer's variables.

        If the names are other ones, as those of depthwise kernels are, the order counts.
        """
        values = list(theirs.values())
        names = [key.partition(":")[2] for key in theirs]
        if set(names) == set(self.names) and len(set(names)) == len(names):
            values = [values[names.index(name)] for name in self.names]
        return dict(zip(self.arrays, values, strict=True))


def _difference(ours: NDArray[Any], given: NDArray[Any]) -> str:
    """How an array of a file differs from the one of the network; empty if it fits."""
    if ours.shape != given.shape:
        turned = ", transposed?" if sorted(ours.shape) == sorted(given.shape) else ""
        return f"{_shape(given.shape)} in the file, {_shape(ours.shape)} in the network{turned}"
    if ours.dtype.kind != given.dtype.kind:
        return f"{given.dtype} in the file, {ours.dtype} in the network"
    return ""


def _shape(shape: Iterable[int]) -> str:
    return "x".join(map(str, shape)) or "one number"


def own_layers(model: Any) -> dict[str, OwnLayer]:
    """The layers with weights, by name, in the order of the network."""
    places = arrays_by_place(weights_file(model))
    by_name = {layer.name: layer for layer in model.layers}
    found = {}
    for place, (name, arrays) in places.items():
        own = [weight for weight in by_name[name].weights if not is_generator(weight)]
        names = tuple(weight.name.rpartition("/")[2] for weight in own)
        ordered = {key: arrays[key] for key in sorted(arrays, key=_numbered)}
        found[name] = OwnLayer(place, ordered, names if len(names) == len(arrays) else ())
    return {name: found[name] for name in by_name if name in found}


def _numbered(place: str) -> list[tuple[int, str]]:
    """Sorts `vars/10` behind `vars/9`."""
    return [(int(part) if part.isdigit() else 0, part) for part in place.split("/")]
