"""The model that a person wrote, and the flat network that qbench made of it.

Both have the same layers and variables. In the flat network every layer has another name, so that
two layers in different models inside the model differ. The person's model owns the weights file.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from weakref import WeakKeyDictionary

from qbench.base.keras_private import layers_within

_AUTHORED: WeakKeyDictionary[Any, Any] = WeakKeyDictionary()
_PATHS: WeakKeyDictionary[Any, str] = WeakKeyDictionary()


def author_model(network: Any) -> Any:
    """The model that owns the weights file of a network: the network itself if it is not made."""
    return _AUTHORED.get(network, network)


def set_author_model(network: Any, model: Any) -> None:
    """Let `model` own the weights file of a network that has the layers of `model`."""
    if network is not model:
        _AUTHORED[network] = model


def rename(op: Any, name: str, path: str) -> None:
    """Give a layer, operation or model another name.

    Args:
        op: the layer, operation or model.
        name: its name in the flat network.
        path: see `own_path`.
    """
    _PATHS[op] = path
    op.name = name


def own_path(op: Any) -> str:
    """Where a layer is in its author's model: the names of models around it, and its own name.

    They stand between slashes, as in `base/block/conv`.
    """
    return str(_PATHS.get(op, op.name))


def own_name(op: Any) -> str:
    """The name that its author, or Keras, gave a layer, operation or model."""
    return own_path(op).rpartition("/")[2]


@contextmanager
def under_own_names(model: Any) -> Iterator[None]:
    """A context in which all layers in a model have the names that their author gave them."""
    renamed = [(layer, layer.name) for layer in layers_within(model) if layer in _PATHS]
    try:
        for layer, _ in renamed:
            layer.name = own_name(layer)
        yield
    finally:
        for layer, name in renamed:
            layer.name = name
