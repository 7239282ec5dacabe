"""Bounds on what a network from a file may allocate, so that a small file cannot fill the memory.

The description of a network may ask for far more than the weights beside it hold. The first bound
is on the weights, while the network is built: a layer that asks for too much gets nothing. The
second is on what the network computes of one image: building it computes nothing.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import keras

from qbench.base.errors import QbenchError
from qbench.base.keras_private import call_again, made_with, maker, read_by
from qbench.models.flatten import graph_of_model

# Values beside the weights of a file, such as those of layers that do not save all of them.
_BESIDE = 1 << 16
# Calls of layers in a network; the largest of keras.applications has 1,041.
_CALLS = 8_000
# Values that a network may compute of one image: 1 GiB of float32, and for larger images, a
# multiple of the values of the image. EfficientNetV2L has about 1,500 times as many.
_COMPUTED, _OF_IMAGE = 1 << 28, 4096


@contextmanager
def as_large_as(weights: int) -> Iterator[None]:
    """A context in which Keras' layers can have no more weights than a file.

    Args:
        weights: the number of values in the file.

    Raises:
        QbenchError: a layer asks for more; nothing was allocated for it.
    """
    original = keras.Layer.add_weight
    left, refused = weights + _BESIDE, ""

    def add_weight(layer: Any, *args: Any, **options: Any) -> Any:
        nonlocal left, refused
        shape = options.get("shape", next((a for a in args if isinstance(a, tuple | list)), ()))
        size = math.prod(side for side in _sides(shape) if side is not None)
        left -= size
        if left < 0:
            refused = (
                f"its network has a layer ({layer.name}) with an array of {size:,} values; all the"
                f" weights in the file are {weights:,}."
            )
            raise QbenchError(refused)
        return original(layer, *args, **options)

    keras.Layer.add_weight = add_weight
    try:
        yield
    except Exception as error:  # Keras may have put it into a message of its own
        if refused:
            raise QbenchError(refused) from error
        raise
    finally:
        keras.Layer.add_weight = original


def _sides(shape: Any) -> tuple[Any, ...]:
    return tuple(shape) if isinstance(shape, tuple | list) else (shape,)


def check_calls(model: Any) -> None:
    """Check the number of calls of layers, those in models inside included, which may be shared.

    Twenty models, each of which calls the one inside it twice, are a million calls.

    Args:
        model: a functional network; nothing is called.

    Raises:
        QbenchError: it calls far more layers than a network for images.
    """
    try:
        number = _calls(model, {})
    except RecursionError as error:
        raise QbenchError("its models inside models are nested too deeply.") from error
    if number > _CALLS:
        raise QbenchError(
            f"its network calls {number:,} layers, more than {_CALLS:,}; give the network as code"
            " (model=FILE.py:FUNCTION)."
        )


def _calls(model: Any, known: dict[int, int]) -> int:
    """The calls in a model; `known` keeps them for models that are called again."""
    if id(model) not in known:
        graph, number = graph_of_model(model), 0

        def call(op: Any, *args: Any, **kwargs: Any) -> list[None]:
            nonlocal number
            number += _calls(op, known) if isinstance(op, keras.Model) else 1
            return [None] * len(keras.tree.flatten(op.output))

        if graph is None:
            number = sum(len(call(layer)) for layer in model.layers)
        else:
            call_again(graph, [None] * len(graph.inputs), call)
        known[id(model)] = number
    return known[id(model)]


def check_computed(model: Any, shape: tuple[int, int, int]) -> None:
    """Check the sizes of everything that a network computes of one image.

    Args:
        model: a functional network.
        shape: (height, width, channels) of an image.

    Raises:
        QbenchError: it is far more than networks for images compute, or nobody can know it.
    """
    tensors, image = _computed(model), model.inputs[0]
    batch, *sides = image.shape
    if None in sides:
        return  # the images do not fit; the check of the network says so
    # Of a batch of one image all sizes are known, also where an operation changes the batch.
    one = keras.KerasTensor((batch or 1, *sides), dtype=image.dtype)
    sized = keras.Function(model.inputs, tensors).compute_output_spec([one])
    most, total = _COMPUTED + _OF_IMAGE * math.prod(shape), 0
    for tensor, known in zip(tensors, sized, strict=True):
        op = maker(tensor)
        if None in known.shape:
            raise QbenchError(
                f"its network has a layer ({op.name}) whose output has a size that is not known"
                " before it is computed; give the network as code (model=FILE.py:FUNCTION)."
            )
        total += math.prod(known.shape) + _table(op, known.shape)
        if total > most:
            raise QbenchError(
                f"its network computes {total:,} values of one image up to {op.name}, more than the"
                f" {most:,} that a file may ask for; give the network as code"
                " (model=FILE.py:FUNCTION)."
            )


def _computed(model: Any) -> list[Any]:
    """All tensors of a network, in the order of its operations."""
    found: dict[int, Any] = {}
    waiting = list(model.outputs)
    while waiting:
        tensor = waiting.pop()
        if id(tensor) not in found:
            found |= {id(one): one for one in made_with(tensor)}
            waiting += read_by(tensor)
    places = {id(op): place for place, op in enumerate(model.operations)}
    return sorted(found.values(), key=lambda tensor: places[id(maker(tensor))])


def _table(op: Any, shape: tuple[int, ...]) -> int:
    """Values that Keras makes beside the output: it cuts patches with a convolution."""
    return int(shape[-1] ** 2) if type(op).__name__ == "ExtractPatches" else 0
