"""Checks before training whether a function always builds the same network."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from qbench.base.errors import QbenchError
from qbench.quantize.calls import is_stock
from qbench.quantize.walk import functional
from qbench.training.kept import kept


def check_builds(name: str, model: Any, build: Callable[[], Any]) -> None:
    """Check that a function always builds the same network, and the same weights from one seed.

    Args:
        name: the name of the model in the configuration.
        model: the model that the function built first.
        build: builds the same model again. Afterwards the seeds of Python, NumPy and TensorFlow
            have changed.

    Raises:
        QbenchError: the layers, their settings or the initial weights differ, or the network has
            variables of an earlier one.
    """
    twins = []
    for _ in range(2):
        keras.utils.set_random_seed(0)
        twins.append(build())
    # A later build must not start from the seed of the twins.
    keras.utils.set_random_seed(random.SystemRandom().randrange(2**31))
    first, second = twins
    _check_new(name, first, second)
    if _settings(model) != _settings(first):
        raise QbenchError(
            f"model={name}: its builder makes another network each time it is called: its layers or"
            " their settings differ; take what is drawn at random as an argument."
        )
    for one, other in zip(kept(first), kept(second), strict=True):
        if not np.array_equal(one.numpy(), other.numpy(), equal_nan=True):
            raise QbenchError(
                f"model={name}: {one.path} starts from other values each time, though the seed is"
                " the same; draw them with keras.initializers or keras.random."
            )


def _check_new(name: str, first: Any, second: Any) -> None:
    """Check that two networks have no variable in common.

    With a common one, a run would begin with the weights that the run before it has trained.
    """
    known = {id(variable) for variable in first.variables}
    again = [variable.path for variable in second.variables if id(variable) in known]
    if again:
        raise QbenchError(
            f"model={name}: its function uses {again[0]} of the network that it built before; make"
            " every layer inside the function."
        )


def _settings(model: Any) -> list[tuple[str, str, str]]:
    """Class and weight shapes of every layer and operation; settings of Keras' own layers."""
    found = []
    for op in functional(model).operations:
        shapes = [tuple(weight.shape) for weight in getattr(op, "weights", ())]
        settings = ""
        if isinstance(op, keras.Layer) and is_stock(op):
            settings = json.dumps(_nameless(op.get_config()), sort_keys=True, default=_plain)
        found.append((type(op).__qualname__, str(shapes), settings))
    return found


def _nameless(settings: Any) -> Any:
    """Settings without names, because Keras gives a new number to the name of each new layer."""
    if isinstance(settings, dict):
        return {str(k): _nameless(v) for k, v in settings.items() if k != "name"}
    if isinstance(settings, list | tuple):
        return [_nameless(one) for one in settings]
    return settings


def _plain(value: Any) -> str:
    """Text for a setting that JSON cannot express: the value of a number or array, else a type."""
    is_number = isinstance(value, np.generic | np.ndarray)
    return repr(value.tolist()) if is_number else type(value).__name__
