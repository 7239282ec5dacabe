"""Checks the arguments that a configuration gives to the function of a model."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Mapping
from typing import Any

from qbench.base import checks
from qbench.base.errors import QbenchError

# Settings of the group `model`, which are no arguments of a function.
_SETTINGS = ("weights", "weights_strict", "head", "freeze")


def signature_of(name: str, builder: Callable[..., Any]) -> inspect.Signature:
    """The signature of a model's function.

    Raises:
        QbenchError: Python does not know it.
    """
    try:
        return inspect.signature(builder)
    except (TypeError, ValueError) as error:
        raise QbenchError(
            f"model={name}: Python cannot say which arguments it takes; write a function that"
            " begins with `def build(shape, classes`."
        ) from error


def check_arguments(
    name: str,
    signature: inspect.Signature,
    arguments: Mapping[str, Any],
    settings: Collection[str] = (),
) -> None:
    """Check that a function takes a shape, a number of classes, and these arguments by name.

    Args:
        name: the name of the model, for messages.
        signature: the signature of its function.
        arguments: the arguments that the configuration gives.
        settings: the settings of the group `model` that the function gets too.

    Raises:
        QbenchError: it does not, or an argument without a default is not given.
    """
    try:
        signature.bind_partial((0, 0, 0), 0)
    except TypeError as error:
        raise QbenchError(
            f"model={name}: its function takes {signature}; it must take two arguments first, the"
            " shape (height, width, channels) of an image and the number of classes."
        ) from error
    parameters = list(signature.parameters.values())
    for one in (one.name for one in parameters[:2] if one.name in arguments):
        raise QbenchError(f"model.{one}: qbench gives the function this argument itself.")
    kinds = [parameter.kind for parameter in parameters]
    if inspect.Parameter.VAR_KEYWORD not in kinds:
        skipped = 0 if inspect.Parameter.VAR_POSITIONAL in kinds[:2] else 2
        own = [parameter.name for parameter in parameters[skipped:]]
        allowed = [one for one in own if one not in settings]
        checks.known_keys("model", arguments, allowed)
    needed = _without_default(parameters[2:])
    if "name" in needed:
        raise QbenchError(
            f"model={name}: nothing can set the argument `name` of its function, because model.name"
            " is the function; call it otherwise, or give it a default."
        )
    for one in (key for key in needed if key in _SETTINGS):
        raise QbenchError(
            f"model={name}: its function has an argument {one}, which is a setting of qbench; call"
            " it otherwise, or give it a default."
        )
    checks.required_keys("model", arguments, needed)


def _without_default(parameters: list[inspect.Parameter]) -> list[str]:
    several = (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)
    return [p.name for p in parameters if p.default is p.empty and p.kind not in several]
