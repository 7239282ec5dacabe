"""Trained weights at the start of training: which layers of a file belong to which of a network."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import h5py
from numpy.typing import NDArray

from qbench.base.errors import QbenchError
from qbench.base.model_names import NEW
from qbench.base.outside import GivenFile, given_file
from qbench.models.head import head_of
from qbench.models.saved import Stored, read
from qbench.models.saved.hdf5 import arrays_by_place, is_generator
from qbench.models.saved.stored import Arrays
from qbench.storage.layout import WEIGHTS
from qbench.storage.weights import load_weights_file, weights_file

_SHOWN = 8  # layers in a line of text
_OWN = re.compile(r"vars/\d+")  # a variable of a layer itself, not of a layer inside it


@dataclass(frozen=True)
class Start:
    """The layers of a network and of a file of trained weights, compared by name and shape.

    Attributes:
        file: the file.
        matched: the layers that begin with the weights of the file.
        new: the head that begins with new weights, because `model.head=new` says so.
        missing: layers with weights that the file does not have.
        unused: layers of the file that the network does not have; with a new head, the file's own
            head may be among them.
        other: by layer that both have, the different shapes, as text.
        values: the arrays of the matched layers, by place in Keras' file of the network.
    """

    file: GivenFile
    matched: tuple[str, ...]
    new: tuple[str, ...]
    missing: tuple[str, ...]
    unused: tuple[str, ...]
    other: Mapping[str, str]
    values: Mapping[str, NDArray[Any]]

    @property
    def lines(self) -> list[str]:
        """The listing as lines of text."""
        count = len(self.matched) + len(self.new) + len(self.missing) + len(self.other)
        found = [f"{self.file.shown}: {len(self.matched)} of {count} layers begin with its weights"]
        for what, names in (
            ("begins with new weights", self.new),
            ("not in the file", self.missing),
            ("of another shape", [f"{name} ({why})" for name, why in self.other.items()]),
            ("in the file alone", self.unused),
        ):
            found += [f"  {what}: {_listed(names)}"] if names else []
        return found

    def as_record(self) -> dict[str, Any]:
        """The listing as plain data, for the record of a run."""
        return {
            "sha256": self.file.sha256,
            "matched": list(self.matched),
            "new": list(self.new),
            "missing": list(self.missing),
            "other_shape": dict(self.other),
            "unused": list(self.unused),
        }

    def load_into(self, model: Any) -> None:
        """Give a network, built like the one that was compared, the weights of the file."""
        content = io.BytesIO(weights_file(model))
        with h5py.File(content, "r+") as file:
            for place, values in self.values.items():
                file[place][...] = values
        load_weights_file(model, content.getvalue())


def start_of(model: Any, file: tuple[str, str] | None, head: str, strict: bool) -> Start | None:
    """The weights that the training of a network begins with; None without a file.

    Args:
        model: a functional network.
        file: key and value of the setting that names the file.
        head: see `compare`.
        strict: see `compare`.

    Raises:
        QbenchError: the file cannot be read, or see `compare`.
    """
    if file is None:
        return None
    given = given_file(*file, WEIGHTS)
    return compare(model, given, read(given), head, strict)


def compare(model: Any, file: GivenFile, stored: Stored, head: str, strict: bool) -> Start:
    """Compare a network with a file of trained weights.

    Args:
        model: a functional network.
        file: the file.
        stored: its content.
        head: `new` if the last layer with weights begins with new weights.
        strict: whether every other layer must match.

    Raises:
        QbenchError: a layer does not match in strict mode, no layer matches at all, or the file has
            no names of layers and is not of this very network.
    """
    own = _own(model)
    new = [head_of(model).name] if head == NEW else []
    theirs = _opened(own, stored) if stored.named else _by_place(own, stored, file)
    matched: list[str] = []
    missing: list[str] = []
    other: dict[str, str] = {}
    values: dict[str, NDArray[Any]] = {}
    for name, layer in own.items():
        if name in new:
            continue
        if name not in theirs:
            missing.append(name)
            continue
        fitting = layer.fitting(theirs[name], stored.legacy)
        if isinstance(fitting, str):
            other[name] = fitting
        else:
            matched.append(name)
            values |= {f"{layer.place}/{key}": array for key, array in fitting.items()}
    unused = [name for name in theirs if name not in own]
    left = bool(new) and new[0] not in theirs  # only then is the file's own head left over
    found = Start(*(file, tuple(matched), tuple(new), tuple(missing), tuple(unused)), other, values)
    _check(found, strict, [name for name in unused if not (left and _is_head(theirs[name]))])
    return found


def _check(found: Start, strict: bool, unused: list[str]) -> None:
    """Check that enough layers match; one layer of the form of a head is the file's own head."""
    if not found.matched:
        raise QbenchError(
            f"{found.file.shown}: no layer has the name and the shape of one of the network; the"
            f" file has {_listed(found.unused or tuple(found.other))}, the network"
            f" {_listed((*found.missing, *found.other, *found.new))}."
        )
    extra = len(found.unused) - len(unused)
    wrong = bool(found.missing or found.other or unused or extra > 1)
    if strict and wrong:
        said = "; ".join(line.strip() for line in found.lines[1:])
        hint = "" if found.new else " model.head=new leaves the last layer out,"
        raise QbenchError(
            f"{found.file.shown}: not every layer matches ({said});{hint}"
            " model.weights_strict=false takes what matches."
        )


def _is_head(arrays: Arrays) -> bool:
    """Whether a layer of a file has the form of a head: a kernel, and a bias for its outputs."""
    kernel, *rest = arrays.values()
    return kernel.ndim in (2, 4) and [one.shape for one in rest] in ([], [kernel.shape[-1:]])


@dataclass(frozen=True)
class _Layer:
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


def _own(model: Any) -> dict[str, _Layer]:
    """The layers with weights, by name, in the order of the network."""
    places = arrays_by_place(weights_file(model))
    by_name = {layer.name: layer for layer in model.layers}
    found = {}
    for place, (name, arrays) in places.items():
        own = [weight for weight in by_name[name].weights if not is_generator(weight)]
        names = tuple(weight.name.rpartition("/")[2] for weight in own)
        ordered = {key: arrays[key] for key in sorted(arrays, key=_numbered)}
        found[name] = _Layer(place, ordered, names if len(names) == len(arrays) else ())
    return {name: found[name] for name in by_name if name in found}


def _opened(own: Mapping[str, _Layer], stored: Stored) -> Mapping[str, Arrays]:
    """The layers of a file; a model inside its model gives its layers, as it is flat here."""
    found: dict[str, Arrays] = {}
    for name, arrays in stored.layers.items():
        found |= {name: arrays} if name in own else stored.inside.get(name, {name: arrays})
    return found


def _numbered(place: str) -> list[tuple[int, str]]:
    """Sorts `vars/10` behind `vars/9`."""
    return [(int(part) if part.isdigit() else 0, part) for part in place.split("/")]


def _by_place(own: Mapping[str, _Layer], stored: Stored, file: GivenFile) -> Mapping[str, Arrays]:
    """The layers of a file without names, if it has the places and the shapes of the network."""
    theirs = {layer.place: name for name, layer in own.items()}
    same = set(theirs) == set(stored.layers) and all(
        not isinstance(own[name].fitting(stored.layers[place], False), str)
        for place, name in theirs.items()
    )
    if not same:
        raise QbenchError(
            f"{file.shown}: the file has no names of layers, and its layers are not those of the"
            " network one by one; load it with Keras and save it again, which adds the names."
        )
    return {name: stored.layers[place] for place, name in theirs.items()}


def _listed(names: Iterable[str]) -> str:
    every = list(names)
    more = f" and {len(every) - _SHOWN} more" if len(every) > _SHOWN else ""
    return ", ".join(every[:_SHOWN]) + more
