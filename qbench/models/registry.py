"""Builds a model by name."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from qbench.base.errors import QbenchError
from qbench.base.keras_private import number_names_anew
from qbench.base.model_arguments import check_arguments, signature_of
from qbench.base.model_names import KEEP, KERAS_FILE
from qbench.base.reasons import summary
from qbench.base.registry import Registry
from qbench.models.check import check_network
from qbench.models.flatten import flattened
from qbench.models.freeze import freeze_layers
from qbench.models.functional import as_functional
from qbench.models.head import new_head
from qbench.models.separate import separated
from qbench.tasks.task import Task

MODELS: Registry[Callable[..., Any]] = Registry("model.name", Callable)

T = TypeVar("T", bound=Callable[..., Any])

# By builder, the settings that it gets as arguments.
_READS: dict[Any, tuple[str, ...]] = {}

# The networks that this process has checked: builder, arguments, shape and task.
_CHECKED: set[tuple[Any, ...]] = set()


def with_settings(*names: str) -> Callable[[T], T]:
    """Decorator for a builder that also gets these settings of the group `model`, by name."""

    def mark(builder: T) -> T:
        _READS[builder] = names
        return builder

    return mark


def is_own(name: str) -> bool:
    """Whether the function of this name is qbench's own, which builds the same network each time.

    Raises:
        QbenchError: the name is unknown.
    """
    return MODELS[name].__module__.startswith("qbench.models.")


def build_model(
    name: str,
    arguments: Mapping[str, Any],
    shape: tuple[int, int, int],
    task: Task,
    *,
    weights: str | None = None,
    head: str = KEEP,
    freeze: Sequence[str] = (),
) -> Any:
    """A new functional Keras model from (N, *shape) float32 images to the task's outputs.

    A sequential model becomes a functional model, and models inside it become their layers
    (`qbench.models.flatten`). Activations inside layers that a file computes apart from these
    become layers (`qbench.models.separate`). When a process builds a network for the first time,
    `qbench.models.check` checks whether qbench can train it.

    Layers without a name in the function get the same names each time, because range averages are
    stored by these names. The weights are new ones; `qbench.models.start` loads trained weights.

    Args:
        name: the name of the function.
        arguments: its arguments by name.
        shape: (height, width, channels) of an image.
        task: says how many outputs the network has, and checks them.
        weights: `model.weights`, for functions that build another network with it.
        head: `model.head`, likewise.
        freeze: patterns of the names of layers that are not trained.

    Raises:
        QbenchError: the name or an argument is unknown, the function raises an error, or qbench
            cannot train the network.
    """
    builder = MODELS[name]
    settings = {"weights": weights, "head": head}
    given = {key: settings[key] for key in _READS.get(builder, ())}
    check_arguments(name, signature_of(name, builder), arguments, given)
    number_names_anew()
    built = _called(name, builder, {**arguments, **given}, shape, task.outputs)
    try:
        model = flattened(as_functional(built, shape))
        new = new_head(model, name, weights, head) if freeze else ""
        freeze_layers(model, freeze, new)
        told = {**arguments, **given, "freeze": freeze}
        key = (builder, json.dumps(told, sort_keys=True, default=repr), shape, task)
        if key not in _CHECKED or name == KERAS_FILE:  # a file may have changed
            check_network(model, shape, task)
            _CHECKED.add(key)
    except QbenchError as error:
        raise QbenchError(f"model={name}: {error}") from error
    except Exception as error:
        raise QbenchError(
            f"model={name} cannot be used on images of {shape}: {summary(error).rstrip('.')}."
        ) from error
    return separated(model)


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
