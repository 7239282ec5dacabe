"""Trained weights at the start of training: which layers of a file belong to which of a network."""

from __future__ import annotations

import io
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import h5py
from numpy.typing import NDArray

from qbench.base.errors import QbenchError
from qbench.base.model_names import NEW
from qbench.base.names import first_names
from qbench.base.outside import GivenFile, given_file
from qbench.models.fitting import OwnLayer, affine_in, own_layers
from qbench.models.head import head_of
from qbench.models.saved import Stored, read
from qbench.models.saved.stored import Arrays
from qbench.storage.layout import WEIGHTS
from qbench.storage.weights import load_weights_file, weights_file

_SHOWN = 8  # layers in a line of text


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
        by_position: matched layers of which the file does not say whether an array is gamma or
            beta.
        frozen: layers that begin with new weights and are not trained.
    """

    file: GivenFile
    matched: tuple[str, ...]
    new: tuple[str, ...]
    missing: tuple[str, ...]
    unused: tuple[str, ...]
    other: Mapping[str, str]
    values: Mapping[str, NDArray[Any]]
    by_position: tuple[str, ...] = ()
    frozen: tuple[str, ...] = ()

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
            (
                "gamma or beta, which the file does not say, taken as in the network",
                self.by_position,
            ),
            ("frozen, but begins with new weights", self.frozen),
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
            **({"by_position": list(self.by_position)} if self.by_position else {}),
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
    own = own_layers(model)
    new = [head_of(model).name] if head == NEW else []
    needed = {name: layer for name, layer in own.items() if name not in new}
    theirs = _opened(needed, stored, file) if stored.named else _by_place(own, stored, file)
    affine = affine_in(stored.config)
    matched: list[str] = []
    missing: list[str] = []
    other: dict[str, str] = {}
    values: dict[str, NDArray[Any]] = {}
    for name, layer in needed.items():
        if name not in theirs:
            missing.append(name)
            continue
        fitting = layer.fitting(theirs[name], stored.legacy, affine.get(_named(layer)))
        if isinstance(fitting, str):
            other[name] = fitting
        else:
            matched.append(name)
            values |= {f"{layer.place}/{key}": array for key, array in fitting.items()}
    unused = [name for name in theirs if name not in own]
    left = bool(new) and new[0] not in theirs  # only then is the file's own head left over
    unsaid = () if stored.legacy else (one for one in matched if _named(own[one]) not in affine)
    found = Start(
        *(file, tuple(matched), tuple(new), tuple(missing), tuple(unused), other, values),
        by_position=tuple(name for name in unsaid if own[name].is_ambiguous),
        frozen=tuple(name for name in (*missing, *other) if not own[name].trainable),
    )
    unused = [name for name in unused if not (left and _is_head(theirs[name]))]
    _check(found, strict, unused, stored.joined)
    return found


def _named(layer: OwnLayer) -> str:
    """The name that its author gave a layer."""
    return layer.path.rpartition("/")[2]


def _check(found: Start, strict: bool, unused: list[str], joined: Collection[str]) -> None:
    """Check that enough layers match; one layer of the form of a head is the file's own head."""
    inside = [name for name in (*found.unused, *found.other) if name in joined]
    resaved = (
        f" An .h5 file does not keep apart the layers inside {_listed(inside)}: load it with Keras"
        " and save it as .keras."
        if inside
        else ""
    )
    if not found.matched:
        raise QbenchError(
            f"{found.file.shown}: no layer has the name and the shape of one of the network; the"
            f" file has {_listed(found.unused or tuple(found.other))}, the network"
            f" {_listed((*found.missing, *found.other, *found.new))}.{resaved}"
        )
    extra = len(found.unused) - len(unused)
    wrong = bool(found.missing or found.other or unused or extra > 1)
    if strict and wrong:
        said = "; ".join(line.strip() for line in found.lines[1:])
        hint = "" if found.new else " model.head=new leaves the last layer out,"
        raise QbenchError(
            f"{found.file.shown}: not every layer matches ({said});{hint}"
            f" model.weights_strict=false takes what matches.{resaved}"
        )


def _is_head(arrays: Arrays) -> bool:
    """Whether a layer of a file has the form of a head: a kernel, and a bias for its outputs."""
    kernel, *rest = arrays.values()
    return kernel.ndim in (2, 4) and [one.shape for one in rest] in ([], [kernel.shape[-1:]])


def _opened(
    needed: Mapping[str, OwnLayer], stored: Stored, file: GivenFile
) -> Mapping[str, Arrays]:
    """The layers of a file, by the name that they have in the network.

    A layer belongs to the one with its path. A layer with another path belongs to the one with its
    own name: a model inside one of the two models gives its layers. Of the rest, layers with one
    name in several models have their paths for names.
    """
    paths = {layer.path: name for name, layer in needed.items()}
    found: dict[str, Arrays] = {}
    places: dict[str, dict[str, Arrays]] = {}
    for name, arrays in stored.layers.items():
        inside = {} if paths.get(name) == name else stored.inside.get(name, {})
        for path, inner in (inside or {name: arrays}).items():
            if path in paths:
                found[paths[path]] = inner
            else:
                places.setdefault(path.rpartition("/")[2], {})[path] = inner
    for name, others in places.items():
        ours = [path for path in paths if path.rpartition("/")[2] == name]
        free = [path for path in ours if paths[path] not in found]
        same = [name, *others] if name in ours and name not in free else list(others)
        if len(same) > 1 and (free or len(same) > len(others)):
            raise QbenchError(
                f"{file.shown}: {len(same)} of its layers have the name {name} ({_listed(same)}),"
                f" and the network has {_number(ours)} {name}; give each layer in the file's models"
                " a name of its own."
            )
        if len(others) == len(free) == 1:
            found[paths[free[0]]] = others.popitem()[1]
        else:
            found |= others if len(others) > 1 else {name: next(iter(others.values()))}
    return found


def _number(every: Sequence[str]) -> str:
    return "one" if len(every) == 1 else str(len(every))


def _by_place(own: Mapping[str, OwnLayer], stored: Stored, file: GivenFile) -> Mapping[str, Arrays]:
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
    return first_names(list(names), _SHOWN)
