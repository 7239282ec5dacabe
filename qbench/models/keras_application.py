"""The networks of `keras.applications`, with a head of logits."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable
from typing import Any

import keras
from keras import layers

from qbench.base import checks
from qbench.base.errors import QbenchError
from qbench.base.keras_private import layers_within
from qbench.base.model_names import IMAGENET, KERAS_APPLICATION, WEIGHTS_KEY
from qbench.base.reasons import summary
from qbench.models.registry import MODELS, with_settings

# Arguments of the applications that qbench gives itself.
_OURS = ("include_top", "input_tensor", "input_shape", "classes", "classifier_activation", "name")
POOLINGS = ("avg", "max")


@MODELS.register(KERAS_APPLICATION)
@with_settings("weights")
def keras_application(
    shape: tuple[int, int, int],
    classes: int,
    application: str,
    weights: str | None = None,
    pooling: str = "avg",
    batch_norm_momentum: float | None = None,
    **arguments: Any,
) -> Any:
    """The application without its top, then a global pool and a dense layer of logits.

    Args:
        shape: (height, width, channels) of an image.
        classes: number of logits.
        application: its name, such as `MobileNetV2`.
        weights: `imagenet` for the weights that Keras downloads, in all layers except the last.
        pooling: `avg` or `max`: how the last features are pooled.
        batch_norm_momentum: share of the old moving statistics that a step keeps in every batch
            normalization, from 0 to 1; None leaves the application's own.
        arguments: other arguments of the application, such as `alpha`.

    Raises:
        QbenchError: an argument is not one of the application's, or the weights cannot be had.
    """
    checks.one_of("model.application", application, applications())
    checks.one_of("model.pooling", pooling, POOLINGS)
    build = getattr(keras.applications, application)
    _check(application, build, arguments)
    image = keras.Input(shape, name="image")
    made = _base(application, build, weights == IMAGENET)
    base = made(include_top=False, input_tensor=image, pooling=pooling, **arguments)
    if batch_norm_momentum is not None:
        _set_momentum(base, batch_norm_momentum)
    x = layers.Dense(classes, name="logits")(base.output)
    return keras.Model(image, x, name=application)


def applications() -> tuple[str, ...]:
    """The names of all applications."""
    found = vars(keras.applications).items()
    return tuple(
        name
        for name, build in found
        if callable(build) and "include_top" in inspect.signature(build).parameters
    )


def _set_momentum(model: Any, momentum: float) -> None:
    """Give all batch normalizations of a model, also those of models inside, this momentum."""
    checks.number("model.batch_norm_momentum", momentum, 0, 1)
    for layer in layers_within(model):
        if isinstance(layer, layers.BatchNormalization):
            layer.momentum = momentum


def _check(application: str, build: Callable[..., Any], arguments: Any) -> None:
    """Check the arguments against the application's signature."""
    for one in (one for one in _OURS if one in arguments):
        raise QbenchError(
            f"model.{one}: qbench gives this argument itself; in place of its top {application} has"
            " a layer of logits for the classes of the data."
        )
    known = inspect.signature(build).parameters
    checks.known_keys("model", arguments, [one for one in known if one not in (*_OURS, "weights")])


def _base(application: str, build: Callable[..., Any], trained: bool) -> Callable[..., Any]:
    """The application's function, with new weights or those of ImageNet."""
    if not trained:
        return lambda **arguments: build(weights=None, **arguments)

    def downloaded(**arguments: Any) -> Any:
        try:
            with warnings.catch_warnings():  # about the size of the images
                warnings.simplefilter("ignore", UserWarning)
                return build(weights=IMAGENET, **arguments)
        except Exception as error:
            raise QbenchError(
                f"{WEIGHTS_KEY}={IMAGENET}: Keras has no such weights of {application} here"
                f" ({summary(error).rstrip('.')}); they need a network once, three channels and an"
                " argument for which they exist."
            ) from error

    return downloaded
