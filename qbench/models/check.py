"""Checks a built network before anything trains: whether qbench can train it.

Every message begins with what was found and ends with what to change.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from typing import Any

import keras
import tensorflow as tf

from qbench.base.errors import QbenchError
from qbench.base.keras_private import layers_within
from qbench.base.keras_settings import NEEDED
from qbench.quantize.walk import walk
from qbench.tasks.calls import Call
from qbench.tasks.task import Task

FLOAT = "float32"


def check_network(model: Any, shape: tuple[int, int, int], task: Task) -> None:
    """Check that qbench can train a functional model with one input and one output.

    Args:
        model: the model with its weights, without models inside; it is not changed.
        shape: (height, width, channels) of an image.
        task: checks its output.

    Raises:
        QbenchError: qbench cannot train it.
    """
    _check_keras()
    _check_one_device(model)
    _check_names(model)
    _check_input(model.inputs[0], shape)
    _check_types(model)
    _check_formats(model)
    _check_saved(model)
    task.check_shape(model.outputs[0])
    if not model.trainable_variables:
        raise QbenchError(
            "it has no weights that are trained; it needs a layer that has some and is trainable."
        )
    calls, end = _calls(model)
    _check_phases(calls)
    task.check_output(model, calls, end, shape)


def _check_keras() -> None:
    """Check settings of Keras that this network's code or other code may have changed."""
    config = keras.config
    for key in ("backend", "floatx", "image_data_format", "epsilon"):
        value = getattr(config, key)()
        if value != NEEDED[key]:
            raise QbenchError(
                f"keras.config.{key}() is {value}; qbench needs {NEEDED[key]}: leave"
                f" keras.config.set_{key} out."
            )
    policy = config.dtype_policy().name
    if policy != FLOAT:
        raise QbenchError(
            f"keras.config.dtype_policy() is {policy}; qbench trains in {FLOAT}: leave"
            " keras.config.set_dtype_policy out."
        )


def _check_one_device(model: Any) -> None:
    """Check that no strategy of TensorFlow distributes the network."""
    values = (variable.value for variable in model.variables)
    if tf.distribute.has_strategy() or any(hasattr(one, "distribute_strategy") for one in values):
        raise QbenchError(
            "it is built in a strategy of tf.distribute; a run of qbench trains on one device, and"
            " several GPUs train several runs: leave the strategy out."
        )


def _check_saved(model: Any) -> None:
    """Check that layers save all variables: a subclass that adds variables must save them too."""
    for layer in layers_within(model):
        if getattr(layer, "lora_enabled", False):
            raise QbenchError(
                f"{layer.name} ({type(layer).__name__}) has LoRA enabled, which qbench does not"
                " quantize; leave enable_lora out."
            )
        inner = layers_within(layer)
        held = {id(weight) for one in inner for weight in one.weights}
        own = [weight for weight in layer.weights if id(weight) not in held]
        store: dict[str, Any] = {}
        layer.save_own_variables(store)
        if len(store) < len(own):
            names = ", ".join(weight.name for weight in own)
            raise QbenchError(
                f"{layer.name} ({type(layer).__name__}) saves {len(store)} of its {len(own)}"
                f" variables ({names}), so that trained values would be lost; give it"
                " save_own_variables and load_own_variables for all of them."
            )


# TensorFlow's rules for the name of a scope, in a graph's root and inside another scope.
_ROOT = re.compile(r"[A-Za-z0-9.][A-Za-z0-9_.\\/>-]*")
_INNER = re.compile(r"[A-Za-z0-9_.\\/>-]+")
# The names that qbench gives to layers that it inserts after other layers or in their place.
_OURS = re.compile(r".+\.(quantized|range|fused|frozen|baked|grid|inner|gated)(\.\d+)?")
_IMAGE = "image"


def _check_names(model: Any) -> None:
    """Check that TensorFlow accepts every name, and that no name is one of qbench's own names."""
    if not _ROOT.fullmatch(model.name):
        raise QbenchError(
            f"its name {model.name!r} is one that TensorFlow refuses; call it"
            f" {_cleaned(model.name)!r}, with letters, digits and . _ - only."
        )
    for op in _parts(model):
        if not _INNER.fullmatch(op.name):
            raise QbenchError(
                f"{_called(op)} has a name that TensorFlow refuses; call it {_cleaned(op.name)!r},"
                " with letters, digits and . _ - only."
            )
    for op in model.operations:
        is_input = isinstance(op, keras.layers.InputLayer)
        if _OURS.fullmatch(op.name) or (op.name == _IMAGE and not is_input):
            raise QbenchError(
                f"{_called(op)} has a name that qbench gives to the layers it inserts; call it"
                f" {op.name.replace('.', '_') + '_layer'!r}, for instance."
            )


def _cleaned(name: str) -> str:
    """A similar name that TensorFlow accepts."""
    return re.sub(r"[^A-Za-z0-9_.-]", "_", name).lstrip("_-") or "layer"


def _parts(model: Any) -> Iterator[Any]:
    """All operations and layers; the layers inside a layer follow it."""
    for op in model.operations:
        yield op
        yield from layers_within(op) if isinstance(op, keras.Layer) else []


def _called(op: Any) -> str:
    kind = "layer" if isinstance(op, keras.Layer) else "operation"
    return f"{kind} {op.name!r} ({type(op).__name__})"


def _check_input(image: Any, shape: tuple[int, int, int]) -> None:
    """Check that the input takes images: (None, *shape) float32."""
    if image.shape[1:] != shape:
        raise QbenchError(
            f"its input has shape {image.shape}, the images have {(None, *shape)}; build it on"
            " keras.Input(shape), with the shape that its function is given."
        )
    if image.shape[0] is not None:
        raise QbenchError(
            f"its input takes batches of {image.shape[0]} images only; leave batch_size out."
        )
    if image.dtype != FLOAT or getattr(image, "sparse", False):
        kind = f"sparse {image.dtype}" if image.dtype == FLOAT else image.dtype
        raise QbenchError(
            f"its input is {kind}; it must be {FLOAT}: data.preprocessing turns pixels into numbers"
            " before the network reads them."
        )


def _is_other_float(dtype: str) -> bool:
    return "float" in dtype and dtype != FLOAT


def _check_types(model: Any) -> None:
    """Check that all floating-point computation is in float32."""
    for op in _parts(model):
        policy = getattr(op, "dtype_policy", None)
        if policy is None:
            continue
        quantized = policy.quantization_mode
        if quantized or _is_other_float(policy.compute_dtype):
            raise QbenchError(
                f"{_called(op)} computes in {quantized or policy.compute_dtype} ({policy.name});"
                f" qbench trains in {FLOAT}: leave dtype and Keras' own quantization out."
            )
    for variable in model.variables:
        if _is_other_float(variable.dtype):
            raise QbenchError(f"{variable.path} is {variable.dtype}; make it {FLOAT}.")
    for op in model.operations:
        for tensor in keras.tree.flatten(op.output):
            if _is_other_float(tensor.dtype):
                raise QbenchError(
                    f"{_called(op)} gives {tensor.dtype}; qbench trains in {FLOAT}: leave the cast"
                    " out."
                )


def _check_formats(model: Any) -> None:
    for op in _parts(model):
        if getattr(op, "data_format", None) == "channels_first":
            raise QbenchError(
                f"{_called(op)} takes channels first; images have them last: leave data_format out."
            )


def _calls(model: Any) -> tuple[list[Call], Any]:
    """Every call of an operation, in the order of the graph, and the output of the model."""
    calls: list[Call] = []

    def call(op: Any, *args: Any, **kwargs: Any) -> Any:
        output = op(*args, **kwargs)
        calls.append(Call(op, args, kwargs, output))
        return output

    return calls, walk(model, call).outputs[0]


def _check_phases(calls: list[Call]) -> None:
    """Check that no layer is called with `training=True`: it would train in evaluation too."""
    for call in calls:
        given = call.kwargs.get("training")
        if given is None or "training" not in inspect.signature(call.op.call).parameters:
            continue
        if keras.utils.is_keras_tensor(given) or given:
            raise QbenchError(
                f"{_called(call.op)} is called with training={given}, so that it would work as in"
                " training when the network is evaluated; leave the argument out."
            )
