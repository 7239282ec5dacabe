"""The weights of a layer of the network, and whether the arrays of a file fit them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import keras
from numpy.typing import NDArray

from qbench.base.authored import author_model, own_path
from qbench.base.keras_private import layers_within
from qbench.models.saved.hdf5 import arrays_by_place, is_generator
from qbench.models.saved.stored import Arrays
from qbench.storage.weights import file_with_names

# Names that mean the same in every version of Keras.
_FIXED = ("kernel", "bias", "gamma", "beta", "moving_mean", "moving_variance")
_SCALE, _OFFSET = "gamma", "beta"
_OWN = re.compile(r"vars/\d+")  # a variable of a layer itself, not of a layer inside it


@dataclass(frozen=True)
class OwnLayer:
    """A layer of the network.

    Attributes:
        place: where Keras' file of the network has it.
        arrays: its arrays by place below.
        names: the names of its own variables, in their order.
        trainable: whether it is trained.
        path: the names of the models that hold it in its author's model, and its own name there,
            such as `base/conv`.
    """

    place: str
    arrays: Arrays
    names: tuple[str, ...]
    trainable: bool = True
    path: str = ""

    @property
    def is_ambiguous(self) -> bool:
        """Whether it has a scale without an offset, or an offset without a scale.

        These have one shape, so arrays without names do not say which of the two they are.
        """
        return self.names.count(_SCALE) != self.names.count(_OFFSET)

    def fitting(
        self, theirs: Arrays, legacy: bool, affine: frozenset[str] | None = None
    ) -> dict[str, NDArray[Any]] | str:
        """The arrays of a file for this layer, or the difference as text.

        Args:
            theirs: the arrays of the file's layer.
            legacy: whether they have names.
            affine: the result of `affine_in` for this layer, if the file says it.
        """
        if len(theirs) != len(self.arrays):
            return f"{len(theirs)} arrays in the file, {len(self.arrays)} in the network"
        if legacy and not all(_OWN.fullmatch(key) for key in self.arrays):
            return "has layers inside, which an .h5 file of Keras 2 does not keep apart"
        ours = frozenset(name for name in self.names if name in (_SCALE, _OFFSET))
        # There are as many arrays here as there, so a normalization that differs has one of the two
        # in place of the other. What a layer is told to have, it may not have (`rms_scaling`).
        if affine is not None and affine - ours and ours - affine:
            return f"{_and(affine - ours)} in the file, {_and(ours - affine)} in the network"
        given = self._by_name(theirs) if legacy else theirs
        if isinstance(given, str):
            return given
        if given.keys() != self.arrays.keys():
            return "other variables"
        for key, array in self.arrays.items():
            if said := _difference(array, given[key]):
                return said
        return {key: given[key] for key in self.arrays}

    def _by_name(self, theirs: Arrays) -> Arrays | str:
        """The arrays of a file of Keras 2 in the order of this layer's variables, or a difference.

        Names that the other side does not have, as those of depthwise kernels, count in their
        order.
        """
        values = list(theirs.values())
        names = [key.partition(":")[2] for key in theirs]
        if len(set(names)) < len(names) or len(set(self.names)) < len(names):
            return dict(zip(self.arrays, values, strict=True))
        left = [name for name in names if name not in self.names]
        free = [name for name in self.names if name not in names]
        for there, here in zip(left, free, strict=True):
            if there in _FIXED and here in _FIXED:
                return f"{there} in the file, {here} in the network"
        renamed = dict(zip(free, left, strict=True))
        ordered = [values[names.index(renamed.get(name, name))] for name in self.names]
        return dict(zip(self.arrays, ordered, strict=True))


def affine_in(config: Any) -> dict[str, frozenset[str]]:
    """By layer in the description of a network: which of `gamma` and `beta` a normalization has.

    Names that differ in this in models inside are left out.
    """
    found: dict[str, set[frozenset[str]]] = {}
    waiting = [config]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            waiting += one.values()
            if isinstance(one.get("name"), str) and {"scale", "center"} <= one.keys():
                given = (_SCALE, one["scale"]), (_OFFSET, one["center"])
                has = frozenset(name for name, has in given if has)
                found.setdefault(one["name"], set()).add(has)
        elif isinstance(one, list):
            waiting += one
    return {name: next(iter(every)) for name, every in found.items() if len(every) == 1}


def _and(names: frozenset[str]) -> str:
    return " and ".join(sorted(names)) or "neither"


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
    """The author's layers with weights, by name, in the order in which the network has the weights.

    Layers that the network does not need follow; a model inside its author's may have some.
    """
    author = author_model(model)
    inside = layers_within(author) if author is not model else []
    every = [one for one in (*model.layers, *inside) if not isinstance(one, keras.Model)]
    by_name = {layer.name: layer for layer in reversed(every)}
    found = {}
    for place, (name, arrays) in arrays_by_place(file_with_names(model), by_name).items():
        own = [weight for weight in by_name[name].weights if not is_generator(weight)]
        names = tuple(weight.name.rpartition("/")[2] for weight in own)
        ordered = {key: arrays[key] for key in sorted(arrays, key=_numbered)}
        found[name] = OwnLayer(
            *(place, ordered, names if len(names) == len(arrays) else ()),
            trainable=by_name[name].trainable,
            path=own_path(by_name[name]),
        )
    place_of = {id(weight): k for k, weight in enumerate(model.weights)}

    def first(layer: Any) -> int:
        return min((place_of.get(id(one), len(place_of)) for one in layer.weights), default=0)

    ordered_names = dict.fromkeys(layer.name for layer in sorted(every, key=first))
    return {name: found[name] for name in ordered_names if name in found}


def _numbered(place: str) -> list[tuple[int, str]]:
    """Sorts `vars/10` behind `vars/9`."""
    return [(int(part) if part.isdigit() else 0, part) for part in place.split("/")]
