"""Every private interface of Keras that qbench uses because no public one exists.

`tests/models/test_models_keras_private.py` checks for each interface what qbench needs. If Keras
changes an interface, these tests say what to change here. This module imports Keras only when a
function is called.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any


def maker(tensor: Any) -> Any:
    """The layer or operation that made a symbolic tensor."""
    return tensor._keras_history.operation


def read_by(tensor: Any) -> list[Any]:
    """The tensors that the call which made a symbolic tensor has read.

    A layer that is called twice has several calls; its `input` is that of the first one.
    """
    history = tensor._keras_history
    found: list[Any] = history.operation._inbound_nodes[history.node_index].input_tensors
    return found


def made_with(tensor: Any) -> list[Any]:
    """All symbolic tensors of the call that made a symbolic tensor, itself among them."""
    history = tensor._keras_history
    found: list[Any] = history.operation._inbound_nodes[history.node_index].output_tensors
    return found


def layers_within(layer: Any) -> list[Any]:
    """All layers inside a layer or model, at every depth, each once; without the layer itself."""
    found: list[Any] = layer._flatten_layers(include_self=False)
    return found


def call_again(model: Any, inputs: Any, call: Any) -> Any:
    """The outputs of a functional model, by `call(op, *args, **kwargs)` for each of its calls.

    Args:
        model: the functional model.
        inputs: a flat list of what its inputs become.
        call: gives what the outputs of a call become.
    """
    return model._run_through_graph(inputs, call_fn=call)


@contextmanager
def calls_forgotten(model: Any) -> Iterator[None]:
    """A context after which the layers of a functional model have forgotten the calls within it.

    A layer holds all its symbolic calls, and with them the models that were built of it. Those
    models go on to work.
    """
    lists = [calls for op in model.operations for calls in (op._inbound_nodes, op._outbound_nodes)]
    before = [len(calls) for calls in lists]
    try:
        yield
    finally:
        for calls, count in zip(lists, before, strict=True):
            del calls[count:]


def call_dense(tensor: Any) -> None:
    """Mark a symbolic tensor as not sparse.

    Keras marks a product with a number as sparse, and no public function can change this.
    """
    tensor._sparse = False


def place_of(optimizer: Any, variable: Any) -> int:
    """The index of a variable in its optimizer; its slots have the same index."""
    place: int = optimizer._get_variable_index(variable)
    return place


def slots_of(optimizer: Any, variable: Any) -> list[Any]:
    """The variables that an optimizer keeps for a variable, such as its momentum.

    Optimizers hold them in lists, one for each kind, in the order of the variables.
    """
    import keras

    place, every = place_of(optimizer, variable), optimizer._trainable_variables
    lists = [one for one in vars(optimizer).values() if isinstance(one, list)]
    return [
        one[place]
        for one in lists
        if one is not every
        and len(one) == len(every)
        and isinstance(one[place], keras.Variable)
        and one[place] is not variable
    ]


def number_names_anew() -> None:
    """Restart the numbers in the names of unnamed layers, and leave scopes that stayed open.

    Keras counts unnamed layers in the whole process. A model that fails in a certain way while it
    is built leaves its name in front of the names of all later variables.
    `keras.utils.clear_session` does both too, but it also forgets the random seed.
    """
    with suppress(ImportError):
        from keras.src.utils.naming import reset_uids

        reset_uids()
    with suppress(ImportError):
        from keras.src.backend.common.global_state import set_global_attribute

        set_global_attribute("name_scope_stack", [])


def adopt(layer: Any, kernel: Any, bias: Any) -> None:
    """Let a convolution that is not built yet compute with variables of another layer.

    Args:
        layer: a convolution or depthwise convolution of Keras.
        kernel: the variable of its kernel.
        bias: the variable of its bias; None if it has none.
    """
    name = "_kernel" if hasattr(type(layer), "kernel") else "kernel"  # a property of convolutions
    setattr(layer, name, kernel)
    layer.bias = bias
    layer.built = True
