"""A saved network as a model: the description in a `.keras` or `.h5` file of Keras.

Its weights are loaded like those of every other network, see `qbench.models.start`.
"""

from __future__ import annotations

import copy
from typing import Any

import keras

from qbench.base.errors import QbenchError
from qbench.base.keras_private import maker
from qbench.base.model_names import FILE_KEY, KEEP, KERAS_FILE, NEW
from qbench.base.outside import given_file
from qbench.base.reasons import summary
from qbench.models.flatten import flattened
from qbench.models.functional import as_functional
from qbench.models.head import ends_in_softmax, head_of, with_outputs, without_softmax
from qbench.models.registry import MODELS, with_settings
from qbench.models.saved import Stored, read
from qbench.models.saved.bounds import as_large_as, check_calls, check_computed
from qbench.models.saved.code_free import check_code_free

_SHOWN = 8  # layers in a line of text


@MODELS.register(KERAS_FILE)
@with_settings("head")
def keras_file(shape: tuple[int, int, int], classes: int, file: str, head: str = KEEP) -> Any:
    """The network of a file. A softmax at its end is left out, because a network returns logits.

    Args:
        shape: (height, width, channels) of an image.
        classes: number of outputs.
        file: the path of the file.
        head: `new` to give the last layer with weights this number of outputs.

    Raises:
        QbenchError: the file cannot be read or holds code, or its network takes other images or has
            another number of outputs.
    """
    given = given_file(FILE_KEY, file)
    found = read(given)
    try:
        model = _as_saved(found, shape)
        _check_images(model, shape)
        if head == NEW:
            return _with_new_head(model, classes)
        model = without_softmax(flattened(model))
        if model.output.shape[1:] != (classes,) and len(model.output.shape) == 2:
            raise QbenchError(
                f"its network has {model.output.shape[-1]} outputs, the data need {classes};"
                " model.head=new gives it a new last layer."
            )
    except QbenchError as error:
        raise QbenchError(f"{given.shown}: {error}") from error
    return model


def _with_new_head(model: Any, classes: int) -> Any:
    """The network with a new last layer.

    If this layer is in a model inside, then that model is no longer what the file describes, and
    the flat network owns its weights file.
    """
    model = without_softmax(model)
    head = head_of(model)
    if not isinstance(head, keras.Model):
        return flattened(with_outputs(model, head, classes))
    flat = without_softmax(flattened(model))
    return with_outputs(flat, head_of(flat), classes)


def _check_images(model: Any, shape: tuple[int, int, int]) -> None:
    """Say which settings give the images that the network takes, if some do."""
    own, wanted = model.inputs[0].shape, []
    if len(own) != 4:
        return
    _, height, width, channels = own
    if height and height == width and shape[:2] != (height, width):
        wanted.append(f"data.resolution={height}")
    if channels != shape[2]:
        wanted.append(f"data.channels={channels} (of image files)")
    if wanted:
        raise QbenchError(
            f"its input has shape {own}, the images have {(None, *shape)}; set"
            f" {' and '.join(wanted)}."
        )


def described(file: str, shape: tuple[int, int, int]) -> list[str]:
    """Lines about the network of a file that `keras_file` accepts: what is left out, and frozen."""
    given = given_file(FILE_KEY, file)
    model = flattened(_as_saved(read(given), shape))
    found = []
    if ends_in_softmax(model):
        found.append(
            f"{given.shown}: the softmax at its end ({maker(model.outputs[0]).name}) is left out;"
            " the network returns logits"
        )
    frozen = [layer.name for layer in model.layers if layer.weights and not layer.trainable]
    if frozen:
        more = f" and {len(frozen) - _SHOWN} more" if len(frozen) > _SHOWN else ""
        names = f"{', '.join(frozen[:_SHOWN])}{more}"
        found.append(f"{given.shown}: frozen in the file, and not trained: {names}")
    return found


def _as_saved(found: Stored, shape: tuple[int, int, int]) -> Any:
    """The model of a file as a functional model on images of this shape, with new weights.

    Models inside it stay; they can be made flat.
    """
    if found.config is None:
        raise QbenchError(
            "the file has weights alone, no network; give the network as model= and this file as"
            " model.weights."
        )
    check_code_free(found.config)
    with as_large_as(found.values):
        model = on_images(as_functional(_built(found.config), shape), shape)
    check_calls(model)
    check_computed(flattened(model), shape)
    return model


def _built(config: Any) -> Any:
    """The network from its description, with new weights."""
    plain = {key: copy.deepcopy(value) for key, value in config.items() if key != "compile_config"}
    try:
        if "module" in plain:
            return keras.saving.deserialize_keras_object(plain, safe_mode=True)
        return _from_keras_2(plain)
    except RecursionError as error:
        raise QbenchError("its network is nested too deeply.") from error
    except Exception as error:
        raise QbenchError(
            f"Keras cannot build its network ({summary(error).rstrip('.')})."
        ) from error


def _from_keras_2(config: Any) -> Any:
    """A network whose description names no modules."""
    kind = keras.Sequential if config["class_name"] == "Sequential" else keras.Model
    return kind.from_config(config["config"])


def on_images(model: Any, shape: tuple[int, int, int]) -> Any:
    """The same layers on an input of this shape, if the network's own leaves sizes open."""
    own = model.inputs[0].shape
    fits = len(own) == 4 and all(a in (None, b) for a, b in zip(own[1:], shape, strict=True))
    if own[1:] == shape or not fits:
        return model  # the check of the network says what does not fit
    image = keras.Input(shape, name=model.inputs[0].name.partition(":")[0])
    return keras.models.clone_model(model, input_tensors=image, clone_function=lambda layer: layer)
