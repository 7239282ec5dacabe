"""The kind of a layer or operation, found in the table of kinds."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from qbench.quantize.kind import Kind
from qbench.quantize.kind_table import ARITHMETIC, KINDS

# The names of the kinds that compute with two tensors or more, value by value.
COMPUTING = frozenset(kind.name for kind in ARITHMETIC)


def kind_of(op: Any, arguments: Mapping[str, Any] | None = None) -> Kind | None:
    """The kind of a layer or operation; None if the table has none.

    Args:
        op: the layer or operation; a model's input has None.
        arguments: the keyword arguments of the call, if they are known.
    """
    if op is None:
        return None
    given = arguments or {}
    return next((kind for kind in _candidates(op) if kind.applies(op, given)), None)


def _candidates(op: Any) -> tuple[Kind, ...]:
    import keras

    if isinstance(op, keras.layers.Activation):
        return _of_function(op.activation)
    kind: Any = type(op)
    return _of_class(kind)


@cache
def _of_class(kind: Any) -> tuple[Kind, ...]:
    """The kinds that a class of layers or operations may be of, in the order of the table."""
    import keras

    if not issubclass(kind, keras.Layer):
        return tuple(one for one in KINDS if kind.__name__ in one.operations)
    layers = keras.layers
    return tuple(
        one for one in KINDS if any(issubclass(kind, getattr(layers, name)) for name in one.layers)
    )


def _of_function(function: Any) -> tuple[Kind, ...]:
    """The kinds with a function of keras.activations."""
    return _by_function().get(id(function), ())


@cache
def _by_function() -> dict[int, tuple[Kind, ...]]:
    import keras

    names = dict.fromkeys(name for kind in KINDS for name in kind.functions)
    return {
        id(getattr(keras.activations, name)): tuple(one for one in KINDS if name in one.functions)
        for name in names
    }


def function_kind(function: Any) -> Kind | None:
    """The kind of the function of an activation inside a layer; None if the table has none."""
    found = _of_function(function)
    return found[0] if found else None
