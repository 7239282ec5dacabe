"""What a person should know about a saved network or an application before it is trained."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from qbench.base.model_names import IMAGENET, KEEP, KERAS_FILE, WEIGHTS_KEY
from qbench.data.preprocessing import PREPROCESSING, Preparation
from qbench.data.statistics import statistics
from qbench.models.freeze import spared
from qbench.models.head import new_head
from qbench.models.keras_file import described

_SHOWN = 8  # names in a line
# Preprocessed pixels with a smaller span than this are scaled already; a Rescaling layer with a
# smaller scale than this expects pixels from 0 to 255.
_SPAN, _SCALE = 16.0, 1 / 16


def remarks(
    name: str,
    arguments: Any,
    shape: tuple[int, int, int],
    model: Any,
    weights: str | None,
    preprocessings: Sequence[str],
    head: str = KEEP,
    freeze: Sequence[str] = (),
) -> list[str]:
    """Lines about a network.

    Args:
        name: its name in the configuration.
        arguments: its arguments.
        shape: (height, width, channels) of an image.
        model: the network.
        weights: the value of `model.weights`.
        preprocessings: the values of `data.preprocessing` that it is trained with.
        head: the value of `model.head`.
        freeze: the value of `model.freeze`.
    """
    found = described(arguments["file"], shape) if name == KERAS_FILE else []
    if weights == IMAGENET:
        found.append(
            f"{WEIGHTS_KEY}={IMAGENET}: every layer of {model.name} except {model.layers[-1].name}"
            " begins with its weights"
        )
        found += _as_trained(model.name, shape, preprocessings)
    if freeze:
        found += spared(freeze, new_head(model, name, weights, head))
    return found + _scaled_twice(model, shape, preprocessings)


def _as_trained(
    application: str, shape: tuple[int, int, int], preprocessings: Sequence[str]
) -> list[str]:
    """A line for each preprocessing that ImageNet's weights were not trained with."""
    pixels = _pixels(shape)
    home = sys.modules[getattr(keras.applications, application).__module__]
    wanted = np.asarray(home.preprocess_input(pixels.astype(np.float32)))
    fixed = [one for one in PREPROCESSING.names() if not PREPROCESSING[one].measured]
    fitting = [one for one in fixed if np.allclose(_made(one, pixels), wanted)]
    hint = f"; data.preprocessing={fitting[0]} makes them so" if fitting else ""
    return [
        f"data.preprocessing={one}: makes pixels from {_span(_made(one, pixels))}; the weights of"
        f" {application} were trained on pixels from {_span(wanted)}{hint}"
        for one in preprocessings  # numbers of the training images are not known here
        if not PREPROCESSING[one].measured
        and not np.allclose(_made(one, pixels), wanted, atol=1e-3)
    ]


def _scaled_twice(
    model: Any, shape: tuple[int, int, int], preprocessings: Sequence[str]
) -> list[str]:
    """A line for each preprocessing that scales pixels which the network's first layer scales."""
    first = next((op for op in model.operations if isinstance(op, keras.layers.Rescaling)), None)
    if first is None or np.max(np.abs(first.scale)) >= _SCALE:
        return []
    return [
        f"data.preprocessing={one}: makes pixels from {_span(made)}, and the layer {first.name} of"
        " the network scales them again; it expects pixels from 0 to 255"
        for one in preprocessings
        if np.ptp(made := _made(one, _pixels(shape))) < _SPAN
    ]


def _pixels(shape: tuple[int, int, int]) -> NDArray[np.uint8]:
    """One image (1, *shape) with all values from 0 to 255, if it has so many."""
    values = np.linspace(0, 255, int(np.prod(shape)))
    return values.round().astype(np.uint8).reshape((1, *shape))


def _made(preprocessing: str, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    measured = statistics(pixels) if PREPROCESSING[preprocessing].measured else None
    return np.asarray(Preparation(preprocessing, statistics=measured)(pixels))


def _span(values: NDArray[Any]) -> str:
    return f"{values.min():.4g} to {values.max():.4g}"
