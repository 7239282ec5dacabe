"""Checks before training whether the training of a network can be repeated bit by bit.

Most layers need no check: they are Keras' own and draw no random numbers. Every other layer is
traced separately, in training and in evaluation, and its graph is read. If Python draws a number
while it builds or traces a layer, this number is a constant in the graph, and it differs in the
graph of a model that is built again.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from qbench.base.errors import QbenchError
from qbench.base.keras_private import layers_within
from qbench.base.reasons import summary
from qbench.quantize.calls import is_in_inference, is_stock
from qbench.quantize.tensors import graph_of
from qbench.training import graphs
from qbench.training.randomness import generator_states

Contents = list[Counter[bytes]]


@dataclass(frozen=True)
class Call:
    """One call of a layer or operation in a functional model; the tensors in it are symbolic."""

    op: Any
    args: Any
    kwargs: Any

    def __str__(self) -> str:
        kind = "layer" if isinstance(self.op, keras.Layer) else "operation"
        return f"the {kind} {self.op.name} ({type(self.op).__name__})"


def check_repeatable(name: str, model: Any, build: Callable[[], Any]) -> None:
    """Check that training follows from a seed, and evaluation from the weights.

    Args:
        name: the name of the model in the configuration.
        model: functional or sequential, without models inside.
        build: builds the same model again. Afterwards the seeds of Python, NumPy and TensorFlow
            have changed.

    Raises:
        QbenchError: the model has no trainable variable, or a layer draws random numbers or keeps
            values that neither a seed nor a saved state restores.
    """
    if not model.trainable_variables:
        raise QbenchError(
            f"model={name}: none of its {len(model.weights)} variables is trainable, so there is"
            " nothing to train."
        )
    try:
        calls = _calls(model)
        if calls:
            once = [_checked(call, model) for call in calls]
            # A random seed, so that it differs from the seed of the first build.
            keras.utils.set_random_seed(random.SystemRandom().randrange(2**31))
            _compare(calls, once, _calls(build()))
    except QbenchError as error:
        raise QbenchError(f"model={name}: {error}") from error


def _compare(calls: list[Call], once: list[Contents], again: list[Call]) -> None:
    """Compare what layers compute when they are built and traced again; it must be the same."""
    kinds = [[type(call.op).__qualname__ for call in chosen] for chosen in (calls, again)]
    if kinds[0] != kinds[1]:
        raise QbenchError("its builder makes other layers each time it is called.")
    for call, first, other in zip(calls, once, again, strict=True):
        if first != [graphs.content(_traced(other, training)) for training in (True, False)]:
            raise _refused(call, "computes with other numbers each time it is built")


def _refused(call: Call, what: str) -> QbenchError:
    return QbenchError(
        f"{call} {what}, so that no seed repeats it; draw with keras.random and a"
        " keras.random.SeedGenerator that the layer makes in __init__, and keep what is drawn only"
        " once in a weight that is not trainable."
    )


def _calls(model: Any) -> list[Call]:
    """The calls of a model that need a check, in the order of its graph."""
    found = [Call(call.op, call.args, call.kwargs) for call in graph_of(model).calls]
    kinds: set[type] = set()
    chosen = []
    for one in found:
        if _runs_foreign_code(one):
            chosen.append(one)
        elif isinstance(one.op, keras.Layer) and generator_states(one.op):
            if type(one.op) not in kinds:  # one layer of each class of Keras is enough
                chosen.append(one)
            kinds.add(type(one.op))
    return chosen


def _runs_foreign_code(call: Call) -> bool:
    """Whether a call runs code that is not Keras'."""
    inside = [*keras.tree.flatten((call.args, call.kwargs)), call.op]
    if isinstance(call.op, keras.Layer):
        layers = [call.op, *layers_within(call.op)]
        inside += [held for layer in layers for held in _held(layer)]
    return any(_is_foreign(one) for one in inside)


def _held(layer: Any) -> Iterable[Any]:
    """A layer and the functions it may call: activations, regularizers, constraints."""
    rules = [(v.regularizer, v.constraint) for v in layer.weights]
    return [layer, *vars(layer).values(), *(rule for pair in rules for rule in pair)]


def _is_foreign(value: Any) -> bool:
    """Whether calling this runs code from outside Keras."""
    if isinstance(value, keras.Layer):
        return not is_stock(value)
    module = value.__module__ if hasattr(value, "__qualname__") else type(value).__module__
    return callable(value) and str(module).partition(".")[0] != "keras"


def _traced(call: Call, training: bool) -> Any:
    """The graph of one call; in training with the regularizers and constraints of its weights."""
    training = training and not is_in_inference(call.kwargs)
    alone = _alone(call)
    trained = alone.trainable_variables if training else []

    @tf.function(autograph=False)
    def run(*values: Any) -> Any:
        outputs = alone(list(values), training=training)
        for variable in trained:
            for rule in (variable.regularizer, variable.constraint):
                if rule is not None:
                    rule(variable)
        return keras.tree.flatten(outputs)

    specs = [tf.TensorSpec(tensor.shape, tensor.dtype) for tensor in alone.inputs]
    try:
        return run.get_concrete_function(*specs).graph
    except Exception as error:  # the code of a layer may raise any exception
        if "singleton tf.Variable" in str(error):
            raise QbenchError(
                f"{call} makes variables whenever it is called; make them, and generators of"
                " random numbers, in __init__ or build."
            ) from error
        raise QbenchError(f"{call} cannot be run: {summary(error)}") from error


def _alone(call: Call) -> Any:
    """A model with only this call; the model tells its layers whether they are in training."""
    inputs: dict[int, Any] = {}

    def fresh(leaf: Any) -> Any:
        if not keras.utils.is_keras_tensor(leaf):
            return leaf
        if id(leaf) not in inputs:
            inputs[id(leaf)] = keras.Input(batch_shape=leaf.shape, dtype=leaf.dtype)
        return inputs[id(leaf)]

    args, kwargs = keras.tree.map_structure(fresh, (call.args, call.kwargs))
    outputs = call.op(*args, **kwargs)
    return keras.Model(list(inputs.values()), outputs)


def _checked(call: Call, model: Any) -> Contents:
    """Check the graphs of a call; return their contents."""
    found = []
    for training in (True, False):
        before = _python_seeds()
        graph = _traced(call, training)
        _check_ops(call, graph)
        _check_variables(call, graph, model)
        if not training:
            _check_evaluation(call, graph, model)
        if before != _python_seeds():
            raise _refused(call, "draws random numbers with Python or NumPy while it is traced")
        found.append(graphs.content(graph))
    return found


def _python_seeds() -> Any:
    """The states of the generators that Python's and NumPy's functions draw from."""
    kind, keys, *rest = np.random.get_state()
    return random.getstate(), kind, np.asarray(keys).tobytes(), rest


def _check_ops(call: Call, graph: Any) -> None:
    types = graphs.op_types(graph)
    drawing = sorted(types & graphs.RANDOM)
    if drawing:
        raise _refused(call, f"draws random numbers with TensorFlow's {', '.join(drawing)}")
    if types & graphs.PYTHON:
        raise QbenchError(
            f"{call} runs Python while the graph runs (tf.py_function or tf.numpy_function), where"
            " random numbers and variables cannot be followed; write it with keras.ops."
        )


def _check_variables(call: Call, graph: Any, model: Any) -> None:
    """Check that Keras tracks every variable: only tracked ones are initialised and saved."""
    for resource in graphs.resources(graph):
        if _is_one_of(resource, [*model.variables, *model.metrics_variables]):
            continue
        if "seed_generator_state" in resource.name:
            raise _refused(call, "draws random numbers from a generator that is not its own")
        raise QbenchError(
            f"{call} uses the variable {resource.name or 'without a name'}, which Keras does not"
            " know, so that it is neither initialised nor saved; make it with self.add_weight."
        )


def _is_one_of(resource: graphs.Resource, variables: list[Any]) -> bool:
    return any(resource.handle is variable.value.handle for variable in variables)


def _check_evaluation(call: Call, graph: Any, model: Any) -> None:
    """Check that evaluation follows only from the weights, and does not change them."""
    states = generator_states(model)
    for resource in graphs.resources(graph):
        draws = _is_one_of(resource, states)
        if draws and resource.counts:
            raise QbenchError(
                f"{call} draws random numbers in evaluation too; let it draw only where training"
                " is true."
            )
        if resource.assigned and not draws:
            raise QbenchError(
                f"{call} changes the variable {resource.name} in evaluation too; let it do so only"
                " where training is true."
            )
