"""Builds a model by name."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from typing import Any

from qbench.base.errors import QbenchError
from qbench.base.keras_private import number_names_anew
from qbench.base.model_arguments import check_arguments, signature_of
from qbench.base.reasons import summary
from qbench.base.registry import Registry
from qbench.models.check import check_network
from qbench.models.functional import as_functional
from qbench.tasks.task import Task

MODELS: Registry[Callable[..., Any]] = Registry("model.name", Callable)

# The networks that this process has checked: builder, arguments, shape and task.
_CHECKED: set[tuple[Any, ...]] = set()


def build_model(
    name: str, arguments: Mapping[str, Any], shape: tuple[int, int, int], task: Task
) -> Any:
    """A new functional Keras model from (N, *shape) float32 images to the task's outputs.

    A sequential model becomes a functional model. When a process builds a network for the first
    time, `qbench.models.check` checks whether qbench can train it.

    Layers without a name in the function get the same names each time, because range averages are
    stored by these names.

    Raises:
        QbenchError: the name or an argument is unknown, the function raises an error, or qbench
            cannot train the network.
    """
    builder = MODELS[name]
    check_arguments(name, signature_of(name, builder), arguments)
    number_names_anew()
    built = _called(name, builder, arguments, shape, task.outputs)
    try:
        model = as_functional(built, shape)
        key = (builder, json.dumps(dict(arguments), sort_keys=True, default=repr), shape, task)
        if key not in _CHECKED:
            check_network(model, shape, task)
            _CHECKED.add(key)
    except QbenchError as error:
        raise QbenchError(f"model={name}: {error}") from error
    except Exception as error:
        raise QbenchError(
            f"model={name} cannot be used on images of {shape}: {summary(error).rstrip('.')}."
        ) from error
    return model


def _called(
    name: str,
    builder: Callable[..., Any],
    arguments: Mapping[str, Any],
    shape: tuple[int, int, int],
    classes: int,
) -> Any:
    """The result of the function."""
    try:
        return builder(shape, classes, **arguments)
    except QbenchError:
        raise
    except Exception as error:
        raise QbenchError(
            f"model={name} cannot be built with {dict(arguments)} on images of {shape}:"
            f" {summary(error).rstrip('.')}{_place(error)}."
        ) from error


def _place(error: Exception) -> str:
    """` (file:line)` of the last line outside Keras, TensorFlow and this module."""
    place = ""
    trace = error.__traceback__
    while trace:
        module = str(trace.tb_frame.f_globals.get("__name__", ""))
        if module != __name__ and module.partition(".")[0] not in ("keras", "tensorflow"):
            file = trace.tb_frame.f_code.co_filename
            near = os.path.relpath(file)
            place = f" ({file if near.startswith('..') else near}:{trace.tb_lineno})"
        trace = trace.tb_next
    return place
