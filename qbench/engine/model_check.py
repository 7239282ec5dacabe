"""Builds models before anything trains, to check whether qbench can train them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from qbench.tasks.task import Task

# Warnings about the models that this process has checked, by function, arguments, shape and task.
_FOUND: dict[tuple[Any, ...], tuple[str, ...]] = {}


def check_models(models: Sequence[Any], say: Callable[[str], None]) -> None:
    """Build and check models.

    Args:
        models: tuples of (name, arguments, data), where data has the attributes of
            `qbench.data.DataChoice` in order.
        say: called with a line for each layer whose kernels stay float in every configuration.

    Raises:
        QbenchError: a model cannot be built, or qbench cannot train it repeatably.
    """
    from qbench.data import DataChoice, source_of
    from qbench.data.preprocessing import input_shape
    from qbench.models import MODELS

    for name, arguments, data in models:
        chosen = DataChoice(*data)
        source = source_of(chosen)
        shape, task = input_shape(source.shape, chosen.resolution), source.make_task()
        key = (MODELS[name], json.dumps(arguments, sort_keys=True, default=repr), shape, task)
        if key not in _FOUND:
            _FOUND[key] = checked(name, arguments, shape, task)
        for text in _FOUND[key]:
            say(text)


def checked(
    name: str, arguments: Mapping[str, Any], shape: tuple[int, int, int], task: Task
) -> tuple[str, ...]:
    """Build and check a model.

    Args:
        name: its name in the configuration.
        arguments: its arguments.
        shape: (height, width, channels) of its input.
        task: the task of its data.

    Returns:
        Warnings about the model, one line each.

    Raises:
        QbenchError: the model cannot be built, or qbench cannot train it repeatably.
    """
    from qbench.models import build_model
    from qbench.quantize.kept_float import warnings
    from qbench.training.builds import check_builds
    from qbench.training.repeatable import check_repeatable

    build = partial(build_model, name, arguments, shape, task)
    model = build()
    check_repeatable(name, model, build)
    check_builds(name, model, build)
    return tuple(dict.fromkeys(warnings(model)))
