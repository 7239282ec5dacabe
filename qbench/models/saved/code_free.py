"""Refuses the description of a network that holds code, or names anything outside Keras.

Keras imports and calls what a description names. So every name is looked up here first, in Keras'
public modules, and only layers and the parts of layers are accepted.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from typing import Any

import keras

from qbench.base.errors import QbenchError

_OPERATIONS = re.compile(r"keras\.src\.ops\.\w+")
# Classes of the description's own, which hold plain data.
_DATA = ("__keras_tensor__", "__tensor__", "__numpy__", "__slice__", "__ellipsis__", "__tuple__")
_NETWORKS = ("Functional", "Sequential", "Model")
_PARTS = (
    *(keras.layers, keras.initializers, keras.regularizers, keras.constraints),
    keras.dtype_policies,
)
# Layers that run code of others or read other files.
_CODE = ("Lambda", "TorchModuleWrapper", "TFSMLayer", "JaxLayer", "FlaxLayer")
_FILES = ("TextVectorization", "StringLookup", "IntegerLookup")
# Arguments of layers that are a side of their weights.
_SIDES = ("units", "filters", "output_dim", "key_dim")


def check_code_free(config: Any, largest: int) -> None:
    """Check the description of a network, before anything is built from it.

    Args:
        config: plain data, from config.json of an archive or `model_config` of an HDF5 file.
        largest: the largest side of the weights beside it.

    Raises:
        QbenchError: it holds code, names a class that is not one of Keras' layers or their parts,
            or describes larger weights.
    """
    if not isinstance(config, dict) or config.get("class_name") not in _NETWORKS:
        kind = config.get("class_name") if isinstance(config, dict) else type(config).__name__
        raise QbenchError(
            f"it holds a {kind}, not a functional or sequential model; save one of these two."
        )
    for found in _classes({key: config[key] for key in config if key != "compile_config"}):
        _check(found)
        _check_sides(found, largest)


def _check_sides(found: dict[str, Any], largest: int) -> None:
    """Check the numbers of units and filters, so that no huge network is built in vain."""
    arguments = found.get("config")
    if not isinstance(arguments, dict):
        return
    for key in _SIDES:
        side = arguments.get(key)
        if isinstance(side, int | float) and side > largest:
            raise QbenchError(
                f"its network has a layer ({found['class_name']}) with {key}={side:,}, more than"
                f" any side of its weights ({largest:,})."
            )


def _classes(value: Any) -> Iterator[dict[str, Any]]:
    """Every part of a description that names a class; optimizer and losses are left out."""
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            if "class_name" in one:
                yield one
            waiting += one.values()
        elif isinstance(one, list):
            waiting += one


def _check(found: dict[str, Any]) -> None:
    name, module = found["class_name"], found.get("module")
    if name in _DATA or (name in _NETWORKS and _of_keras(module) and not _registered(found)):
        return
    if name in ("__lambda__", "function", "__typespec__") or name in _CODE:
        raise QbenchError(f"its network holds code ({_shown(found)}), which qbench never runs.")
    if name in _FILES:
        raise QbenchError(f"its network has a layer ({name}) that is not for images.")
    known = isinstance(name, str) and _of_keras(module) and not _registered(found)
    if not known or not _is_part(name, str(module or "")):
        raise QbenchError(
            f"its network names {_shown(found)}, which is no layer of Keras; give the network as"
            " code (model=FILE.py:FUNCTION) and the file as model.weights."
        )


def _of_keras(module: Any) -> bool:
    """Whether a module is Keras'; files of Keras 2 name no module."""
    return module is None or (isinstance(module, str) and module.partition(".")[0] == "keras")


def _registered(found: dict[str, Any]) -> bool:
    """Whether a class is one that somebody has registered with Keras."""
    registered = found.get("registered_name")
    return registered not in (None, found["class_name"])


def _is_part(name: str, module: str) -> bool:
    """Whether a class is a layer, an operation, or a part of a layer."""
    if _OPERATIONS.fullmatch(module):
        kind = vars(sys.modules.get(module, object)).get(name)
        return isinstance(kind, type) and issubclass(kind, keras.Operation)
    return any(isinstance(getattr(part, name, None), type) for part in _PARTS)


def _shown(found: dict[str, Any]) -> str:
    """The name of a class for an error message."""
    module = found.get("module")
    where = f"{module}." if isinstance(module, str) else ""
    return json.dumps(f"{where}{found['class_name']}")[1:81].rstrip('"')
