"""Every private interface of Keras that qbench uses, for want of a public one.

`tests/models/test_models_keras_private.py` says for each of them what qbench needs it to do, and so
what to mend here when Keras changes it. Imports no Keras before it is called.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any


def maker(tensor: Any) -> Any:
    """The layer or operation that a symbolic tensor comes from."""
    return tensor._keras_history.operation


def layers_within(layer: Any) -> list[Any]:
    """The layers inside a layer or model, and those inside them, each once, without itself."""
    found: list[Any] = layer._flatten_layers(include_self=False)
    return found


def call_dense(tensor: Any) -> None:
    """Say of a symbolic tensor that it is not sparse.

    Keras takes what is multiplied by a number for sparse, and lets no one say otherwise.
    """
    tensor._sparse = False


def place_of(optimizer: Any, variable: Any) -> int:
    """The place of a variable among those that an optimizer was built for, and so of its slots."""
    place: int = optimizer._get_variable_index(variable)
    return place


def number_names_anew() -> None:
    """Let the numbers in the names of unnamed layers begin anew.

    Keras numbers them through the whole process. `keras.utils.clear_session` begins anew too, but
    forgets the random seed as well.
    """
    with suppress(ImportError):
        from keras.src.utils.naming import reset_uids

        reset_uids()
