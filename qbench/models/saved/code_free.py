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
_OTHERS = (
    *("TextVectorization", "StringLookup", "IntegerLookup", "Hashing", "HashedCrossing"),
    *("CategoryEncoding", "Discretization", "MelSpectrogram", "STFTSpectrogram"),
)
# Layers that do something as often as a number in the description says, or make tables of its size.
_LOOPS = (
    *("TimeDistributed", "Pipeline", "RandAugment", "AugMix", "CutMix", "MixUp"),
    *("RandomGaussianBlur", "GaussianBlur", "SpectralNormalization"),
)
_SWITCHES = ("unroll", "stateful")
_MOST = 4_000  # layers; the largest of keras.applications has 1,041
_TENSORS = "__keras_tensor__"


def check_code_free(config: Any) -> None:
    """Check the description of a network, before anything is built from it.

    Args:
        config: plain data, from config.json of an archive or `model_config` of an HDF5 file.

    Raises:
        QbenchError: it holds code, names a class that is not one of Keras' layers or their parts,
            or describes far more work than a network for images.
    """
    if not isinstance(config, dict) or config.get("class_name") not in _NETWORKS:
        kind = config.get("class_name") if isinstance(config, dict) else type(config).__name__
        raise QbenchError(
            f"it holds a {kind}, not a functional or sequential model; save one of these two."
        )
    described = {key: config[key] for key in config if key != "compile_config"}
    number = 0
    for found in _classes(described):
        _check(found)
        number += _is_layer(found)
        _check_work(found)
    if number > _MOST:
        raise QbenchError(f"its network has {number:,} layers, more than {_MOST:,}.")


def _check_work(found: dict[str, Any]) -> None:
    """Check what a layer or an operation would do when it is built or called."""
    name, arguments = found["class_name"], found.get("config")
    given = arguments if isinstance(arguments, dict) else {}
    for key in _SWITCHES:
        if given.get(key):
            raise QbenchError(
                f"its network has a layer ({name}) with {key}={given[key]}, which is not for"
                " images; leave that out."
            )
    # Keras computes at once what reads no tensor of the network.
    nodes = found.get("inbound_nodes")
    for node in nodes if isinstance(nodes, list) else ():
        if isinstance(node, dict) and not any(o["class_name"] == _TENSORS for o in _classes(node)):
            raise QbenchError(f"its network has a layer ({name}) that reads no tensor of another.")


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
    if name in _OTHERS:
        raise QbenchError(f"its network has a layer ({name}) that is not for images.")
    if name in _LOOPS:
        raise QbenchError(
            f"its network has a layer ({name}) that qbench does not read from a file; leave it out,"
            " or give the network as code (model=FILE.py:FUNCTION)."
        )
    known = isinstance(name, str) and _of_keras(module) and not _registered(found)
    if not known or not _is_part(name, str(module or "")):
        raise QbenchError(
            f"its network names {_shown(found)}, which is no layer of Keras; give the network as"
            " code (model=FILE.py:FUNCTION) and the file as model.weights."
        )


def _is_layer(found: dict[str, Any]) -> bool:
    """Whether a part of a description is a layer or an operation, not a part of a layer."""
    is_operation = _OPERATIONS.fullmatch(str(found.get("module")))
    return bool(is_operation) or hasattr(keras.layers, found["class_name"])


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
