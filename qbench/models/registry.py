"""Building a model by name."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from qbench import checks
from qbench.errors import QbenchError
from qbench.registry import Registry

MODELS: Registry[Callable[..., Any]] = Registry("model.name")


def build_model(
    name: str, arguments: Mapping[str, Any], shape: tuple[int, int, int], classes: int
) -> Any:
    """A fresh Keras model from (N, *shape) float32 images to (N, classes) logits.

    Layers that the builder does not name have the same names each time, whatever else the process
    has built: range averages are stored by them.

    Raises:
        QbenchError: unknown name or argument, or arguments the builder refuses.
    """
    builder = MODELS[name]
    allowed = list(inspect.signature(builder).parameters)[2:]
    checks.known_keys("model", arguments, allowed)
    _number_names_anew()
    try:
        return builder(shape, classes, **arguments)
    except (TypeError, ValueError) as error:
        reason = str(error).split("\n")[0]
        raise QbenchError(
            f"model={name} cannot be built with {dict(arguments)}: {reason}"
        ) from error


def _number_names_anew() -> None:
    """Keras numbers unnamed layers through the whole process; it has no public way to start anew.

    (`keras.utils.clear_session` does, and forgets the random seed too.)
    """
    with suppress(ImportError):
        from keras.src.utils.naming import reset_uids

        reset_uids()
