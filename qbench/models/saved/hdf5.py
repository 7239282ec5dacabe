"""Reads the weights in HDF5 files: Keras 3's `.weights.h5` and the older `.h5`."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Container, Iterator, Mapping
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from qbench.base.errors import QbenchError
from qbench.base.reasons import reason
from qbench.models.saved.stored import Stored

# Weights hardly shrink; a file of which far more is declared than it holds is not read.
_RATIO, _SMALL = 50, 16 << 20
_DEPTH = 32
_LAYERS = "layers"
_OLDER = "_layer_checkpoint_dependencies"
_VARS = "vars"


def is_hdf5(content: bytes) -> bool:
    """Whether a file is HDF5, from its first bytes."""
    return content.startswith(b"\x89HDF\r\n\x1a\n")


def read(content: bytes, config: Mapping[str, Any] | None = None) -> Stored:
    """The content of an HDF5 file of a network.

    Args:
        content: the file.
        config: the description of the network, if it stands beside the file.

    Raises:
        QbenchError: the file is damaged, leads outside itself, or is not of Keras.
    """
    try:
        with h5py.File(io.BytesIO(content), "r") as file:
            _check(file, len(content))
            if "model_weights" in file or "layer_names" in file.attrs:
                return _legacy(file)
            if _OLDER in file:
                raise QbenchError(
                    "its weights are laid out as Keras 2 (TensorFlow 2.12 and 2.13) writes .keras"
                    " and .weights.h5 files, without the names of layers; load it there and save it"
                    " as .h5, which has the names."
                )
            if _LAYERS not in file:
                raise QbenchError("it is HDF5, but holds no weights as Keras writes them.")
            return _keras_3(file, config)
    except QbenchError:
        raise
    except RecursionError as error:
        raise QbenchError("its description of the network is nested too deeply.") from error
    except (OSError, ValueError, KeyError, RuntimeError, TypeError, AttributeError) as error:
        raise QbenchError(
            f"the HDF5 file is damaged or incomplete ({reason(error).rstrip('.')})."
        ) from error


def _check(file: Any, size: int) -> None:
    """Check, before anything is read, that all data are in the file and as large as it allows."""
    declared = sum(math.prod(one.shape) * one.dtype.itemsize for _, one in _datasets(file, ""))
    if declared > _SMALL + _RATIO * size:
        raise QbenchError(
            f"the HDF5 file of {size:,} bytes declares {declared:,} bytes of weights, far more than"
            " weights shrink."
        )


def _datasets(
    group: Any, path: str, seen: set[int] | None = None, depth: int = 0
) -> Iterator[tuple[str, Any]]:
    """Every array below a group with its path; `seen` has the addresses of the visited groups."""
    seen = set() if seen is None else seen
    _visit(group, seen)
    if depth > _DEPTH:
        raise QbenchError("the groups of the HDF5 file are nested too deeply.")
    for name in group:
        if not isinstance(group.get(name, getlink=True), h5py.HardLink):
            raise QbenchError(f"the HDF5 file has a link at {path}{name}, which leads elsewhere.")
        item = group[name]
        if isinstance(item, h5py.Group):
            yield from _datasets(item, f"{path}{name}/", seen, depth + 1)
        elif isinstance(item, h5py.Dataset) and item.shape is not None:
            if item.external or item.is_virtual:
                raise QbenchError(f"the data of {path}{name} are in another file.")
            yield f"{path}{name}", item


def _visit(group: Any, seen: set[int]) -> None:
    """Note a group. If groups could be reached twice, a small file could take years to walk."""
    address = h5py.h5o.get_info(group.id).addr
    if address in seen:
        raise QbenchError(f"the HDF5 file has {group.name} in two places, as Keras writes none.")
    seen.add(address)


def arrays_by_place(
    content: bytes, names: Container[str]
) -> dict[str, tuple[str, dict[str, NDArray[Any]]]]:
    """The layers in a file that qbench has just written: by place, the name and the arrays.

    Args:
        content: the file.
        names: the names of the layers, which may be in models inside the model.
    """
    found: dict[str, tuple[str, dict[str, NDArray[Any]]]] = {}

    def search(group: Any, place: str) -> None:
        name = _name(group)
        if name not in names:
            for key in (key for key in group if isinstance(group[key], h5py.Group)):
                search(group[key], f"{place}/{key}")
            return
        every = {key: _array(dataset) for key, dataset in _datasets(group, "")}
        arrays = {key: array for key, array in every.items() if not is_generator(array)}
        if arrays:
            found[place] = name, arrays

    with h5py.File(io.BytesIO(content), "r") as file:
        for key in file:
            search(file[key], key)
    return found


def _keras_3(file: Any, config: Mapping[str, Any] | None) -> Stored:
    """Weights by the names of layers, which newer files have, or by place."""
    places = _by_place(file, _LAYERS)
    names = [name for name, _ in places.values()]
    named = all(names) and len(set(names)) == len(names)
    layers = {name if named else place: arrays for place, (name, arrays) in places.items()}
    models = {name: file[place] for place, (name, _) in places.items() if _LAYERS in file[place]}
    inside = {name: _by_path(model, name) for name, model in models.items()}
    return Stored(layers, named, False, config, inside if named else {})


def _by_place(model: Any, root: str) -> dict[str, tuple[str, dict[str, NDArray[Any]]]]:
    """By place, such as `layers/conv2d_1`: the name of the layer, and its arrays by place below."""
    found: dict[str, dict[str, NDArray[Any]]] = {}
    for path, dataset in _datasets(model[root], ""):
        place, _, inside = path.partition("/")
        array = _array(dataset)
        if not is_generator(array):
            found.setdefault(place, {})[inside] = array
    return {f"{root}/{place}": (_name(model[root][place]), a) for place, a in found.items()}


def _by_path(model: Any, name: str) -> dict[str, dict[str, NDArray[Any]]]:
    """The arrays of the layers in a model inside the model, by their paths, such as `base/conv`."""
    found: dict[str, dict[str, NDArray[Any]]] = {}
    for path, arrays in _inside(model, f"{name}/"):
        if path in found:
            raise QbenchError(f"the HDF5 file has two layers {path}.")
        found[path] = arrays
    return found


def _inside(model: Any, path: str) -> Iterator[tuple[str, dict[str, NDArray[Any]]]]:
    """The arrays of the layers in a model, at every depth, each with its path behind `path`.

    A layer without a name, or whose name is there twice, has its place in brackets instead, which
    is the name of no layer.
    """
    places = _by_place(model, _LAYERS)
    names = [name for name, _ in places.values()]
    for place, (name, arrays) in places.items():
        known = name and "/" not in name and names.count(name) == 1
        own = path + (name if known else f"({place.partition('/')[2]})")
        if _LAYERS in model[place]:
            yield from _inside(model[place], f"{own}/")
        else:
            yield own, arrays


def _name(group: Any) -> str:
    """The name of a layer; empty in files of the first versions of Keras 3."""
    return str(group[_VARS].attrs.get("name", "")) if _VARS in group else ""


def is_generator(array: Any) -> bool:
    """Whether an array or variable is the state of a random generator, which is no weight."""
    return str(array.dtype) == "uint32" and tuple(array.shape) == (2,)


def _array(dataset: Any) -> NDArray[Any]:
    """The values; numbers that are half as long as float32 become float32."""
    if dataset.dtype.kind not in "fiub":
        raise QbenchError(f"{dataset.name} holds no numbers.")
    values: NDArray[Any] = np.asarray(dataset)
    if dataset.attrs.get("dtype") == "bfloat16":
        words = values.view(np.uint16).astype(np.uint32) << 16
        return words.view(np.float32)
    return values.astype(np.float32) if values.dtype == np.float16 else values


def _legacy(file: Any) -> Stored:
    """Weights by the names of layers, as Keras 2 wrote them; Keras 3 still does for `.h5`."""
    group = file.get("model_weights", file)
    layers: dict[str, dict[str, NDArray[Any]]] = {}
    joined = set()
    for name in _once(group.attrs["layer_names"], "layers"):
        names = _once(group[name].attrs["weight_names"], f"weights of {name}")
        arrays = [_array(group[name][one]) for one in names]
        kept = [(n, a) for n, a in zip(names, arrays, strict=True) if not is_generator(a)]
        if kept:
            layers[name] = {f"{k}:{_leaf(one)}": array for k, (one, array) in enumerate(kept)}
        owners = {one.rpartition("/")[0] for one, _ in kept}
        if len(owners) > 1 or not all(name in one.split("/") for one in owners):
            joined.add(name)
    described = file.attrs.get("model_config")
    config = None if described is None else json.loads(_text(described))
    return Stored(layers, True, True, config, joined=frozenset(joined))


def _once(values: Any, what: str) -> list[str]:
    """Names as texts, if each is there once: a name that is there often is read as often."""
    names = [_text(one) for one in values]
    if len(set(names)) < len(names):
        raise QbenchError(f"the HDF5 file names {what} twice.")
    return names


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _leaf(name: str) -> str:
    """`kernel` of `conv1/kernel:0`."""
    return name.rpartition("/")[2].partition(":")[0]
