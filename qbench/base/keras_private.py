"""Every private interface of Keras that qbench uses because no public one exists.

`tests/models/test_models_keras_private.py` says for each interface what qbench needs, and so what
to change here when Keras changes it. This module imports Keras only when a function is called.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any


def maker(tensor: Any) -> Any:
    """The layer or operation that a symbolic tensor comes from."""
    return tensor._keras_history.operation


def layers_within(layer: Any) -> list[Any]:
    """The layers inside a layer or model, at every depth, each once, without itself."""
    found: list[Any] = layer._flatten_layers(include_self=False)
    return found


def call_dense(tensor: Any) -> None:
    """Mark a symbolic tensor as not sparse.

    Keras marks a product with a number as sparse, and no public function can change this.
    """
    tensor._sparse = False


def place_of(optimizer: Any, variable: Any) -> int:
    """The place of a variable among those that an optimizer was built for, and so of its slots."""
    place: int = optimizer._get_variable_index(variable)
    return place


def number_names_anew() -> None:
    """Start the numbers in the names of unnamed layers again.

    Keras counts them through the whole process. `keras.utils.clear_session` restarts the count too,
    but also forgets the random seed.
    """
    with suppress(ImportError):
        from keras.src.utils.naming import reset_uids

        reset_uids()
