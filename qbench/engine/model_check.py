"""Builds models before anything trains, to check whether qbench can train them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from qbench.base.outside import given_file
from qbench.config.groups import named
from qbench.config.model import Model
from qbench.storage.layout import WEIGHTS
from qbench.tasks.task import Task

# What was said about the models that this process has checked, by function, settings, content of
# the weights, shape and task.
_FOUND: dict[tuple[Any, ...], tuple[str, ...]] = {}


def check_models(models: Sequence[Any], say: Callable[[str], None]) -> None:
    """Build and check models, and the trained weights that their training begins with.

    Args:
        models: see `qbench.planning.plan.network_entry`.
        say: called with a line for each layer whose kernels stay float in every configuration, and
            with the listing of trained weights.

    Raises:
        QbenchError: a model cannot be built, qbench cannot train it repeatably, or the trained
            weights are not of this model.
    """
    from qbench.data import DataChoice, source_of
    from qbench.data.preprocessing import input_shape, side_of
    from qbench.models import MODELS

    for plain, data, preprocessings in models:
        chosen: Model = named(Model, "model", plain)
        choice = DataChoice(*data)
        source = source_of(choice)
        shape, task = input_shape(source.shape, side_of(choice)), source.make_task()
        files = [given_file(*one, WEIGHTS).sha256 for one in chosen.files.items()]
        about = chosen.weights_strict, tuple(preprocessings), tuple(files)
        key = (MODELS[chosen.name], chosen.as_key(), about, shape, task)
        if key not in _FOUND:
            found = checked(chosen.name, chosen.arguments, shape, task, **chosen.settings)
            _FOUND[key] = (*found, *_remarks(chosen, shape, task, preprocessings))
        for text in _FOUND[key]:
            say(text)


def _remarks(
    chosen: Model, shape: tuple[int, int, int], task: Task, preprocessings: Sequence[str]
) -> list[str]:
    """Lines about the network and about the weights that its training begins with."""
    from qbench.models import build_model
    from qbench.models.remarks import remarks
    from qbench.models.start import start_of

    model = build_model(chosen.name, chosen.arguments, shape, task, **chosen.settings)
    start = start_of(model, **chosen.start)
    settings = chosen.weights, preprocessings, chosen.head, chosen.freeze
    said = remarks(chosen.name, chosen.arguments, shape, model, *settings)
    return [*said, *(start.lines if start else [])]


def checked(
    name: str,
    arguments: Mapping[str, Any],
    shape: tuple[int, int, int],
    task: Task,
    **settings: Any,
) -> tuple[str, ...]:
    """Build and check a model.

    Args:
        name: its name in the configuration.
        arguments: its arguments.
        shape: (height, width, channels) of its input.
        task: the task of its data.
        settings: see `qbench.models.build_model`.

    Returns:
        Warnings about the model, one line each.

    Raises:
        QbenchError: the model cannot be built, or qbench cannot train it repeatably.
    """
    from qbench.models import build_model
    from qbench.quantize.kept_float import warnings
    from qbench.training.builds import check_builds
    from qbench.training.repeatable import check_repeatable

    build = partial(build_model, name, arguments, shape, task, **settings)
    model = build()
    check_repeatable(name, model, build)
    check_builds(name, model, build)
    return tuple(dict.fromkeys(warnings(model)))
