"""Checks that a network returns logits: the loss applies a softmax, so the network must not.

A log-softmax is accepted: its softmax is the softmax of the logits, so loss, gradients and ranks
are the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import layers
from numpy.typing import NDArray

from qbench.base.errors import QbenchError
from qbench.tasks.calls import Call


def check_shape(logits: Any, classes: int) -> None:
    """Check that the output has one logit for each class, in the shape (None, classes)."""
    shape = logits.shape
    if len(shape) != 2:
        raise QbenchError(
            f"its output has shape {shape}, expected {(None, classes)}; end it with"
            " GlobalAveragePooling2D or Flatten, and Dense(classes)."
        )
    if shape[0] is not None:
        raise QbenchError(
            f"its output has a fixed batch of {shape[0]}; let the first number of a reshape be -1."
        )
    if shape[1] != classes:
        raise QbenchError(
            f"it gives {shape[1]} logits, the data have {classes} classes; let its last layer have"
            " as many outputs as the argument `classes` says."
        )


def check_logits(
    model: Any, calls: Sequence[Call], end: Any, shape: tuple[int, int, int], classes: int
) -> None:
    """Check that the outputs are logits, and not the result of any kind of softmax or sigmoid.

    The first check reads the name of the last operation. If this operation is not a linear layer,
    or if a layer is not from Keras, the second check runs the network.

    Args:
        model: the functional model. It runs with other weights, and then gets its own weights back.
        calls: the calls of the model's graph.
        end: the model's output, as a tensor of these calls.
        shape: (height, width, channels) of an image.
        classes: the number of classes.

    Raises:
        QbenchError: the model returns probabilities, or an output of another shape than its graph
            says.
    """
    last = _last(calls, end)
    found = last and _squashes(last)
    if found:
        raise QbenchError(
            f"it ends in a {found} ({last.name}) and gives no logits; leave that out, since the"
            " loss applies the softmax."
        )
    if last is None or not _is_linear(last) or not all(_is_keras(call.op) for call in calls):
        outputs = _outputs(model, shape)
        _check_shapes(outputs, classes)
        _check_values(outputs)


# Names of operations, in lower case without underscores, and the function that they compute.
_SQUASHING = {
    "softmax": "softmax",
    "sigmoid": "sigmoid",
    "hardsigmoid": "sigmoid",
    "sparsesigmoid": "sigmoid",
    "sparsemax": "softmax",
}
# Layers that pass values on: behind them, the outputs of a softmax or sigmoid are still no logits.
_PASSING = (
    *(layers.Flatten, layers.Reshape, layers.Identity, layers.Permute),
    *(layers.ActivityRegularization, layers.Dropout),
    *(layers.SpatialDropout1D, layers.SpatialDropout2D),
    *(layers.GaussianDropout, layers.GaussianNoise, layers.AlphaDropout),
    *(layers.GlobalAveragePooling1D, layers.GlobalAveragePooling2D),
    *(layers.AveragePooling1D, layers.AveragePooling2D),
    *(layers.GlobalMaxPooling1D, layers.GlobalMaxPooling2D),
    *(layers.MaxPooling1D, layers.MaxPooling2D),
)
_PASSING_OPS = frozenset(
    {"Reshape", "Squeeze", "ExpandDims", "Ravel", "Cast", "Transpose", "Mean", "Max"}
)
_LINEAR = (
    *(layers.Dense, layers.EinsumDense, layers.Conv1D, layers.Conv2D, layers.DepthwiseConv2D),
    *(layers.SeparableConv2D, layers.Conv2DTranspose),
)


def _last(calls: Sequence[Call], end: Any) -> Any:
    """The last operation that changes values, or None; layers that only pass values are skipped."""
    made_by = {id(tensor): call for call in calls for tensor in keras.tree.flatten(call.output)}
    while id(end) in made_by:
        call = made_by[id(end)]
        if not _passes(call.op):
            return call.op
        read = filter(keras.utils.is_keras_tensor, keras.tree.flatten((call.args, call.kwargs)))
        end = next(read)
    return None


def _passes(op: Any) -> bool:
    if isinstance(op, layers.Activation) and op.activation is keras.activations.linear:
        return True
    return isinstance(op, _PASSING) or (_is_keras(op) and type(op).__name__ in _PASSING_OPS)


def _squashes(op: Any) -> str | None:
    """`softmax` or `sigmoid` if an operation of Keras is this function or ends with it, else None.

    It is None for layers from other code, because their functions are unknown.
    """
    if not _is_keras(op):
        return None
    function = getattr(op, "activation", None)
    names = [type(op).__name__, getattr(function, "__name__", type(function).__name__)]
    found = (_SQUASHING.get(name.lower().replace("_", "")) for name in names)
    return next(filter(None, found), None)


def _is_linear(op: Any) -> bool:
    return type(op) in _LINEAR and op.activation in (None, keras.activations.linear)


def _is_keras(op: Any) -> bool:
    return type(op).__module__.startswith("keras.") and not isinstance(op, layers.Lambda)


# Standard deviations: of the noise in the images, and of sums with noisy weights. Large ones drive
# a sigmoid to its ends. With small ones an exponential does not overflow.
_NOISE = ((1.0, 1.0), (8.0, 1.0), (64.0, 8.0))
_IMAGES = 8


def _outputs(model: Any, shape: tuple[int, int, int]) -> list[NDArray[np.float32]]:
    """The outputs of the network for a few images of noise, with weights of noise.

    Initial weights are not enough, because the last layer may start with zeros.
    """
    random = np.random.default_rng(0)
    kept = [(variable, variable.numpy()) for variable in model.variables]
    found = []
    try:
        for pixels, sums in _NOISE:
            for variable in model.trainable_variables:
                deviation = sums / np.sqrt(max(1, np.prod(variable.shape[:-1])))
                variable.assign(random.normal(0.0, deviation, variable.shape))
            images = random.normal(0.0, pixels, (_IMAGES, *shape)).astype(np.float32)
            found.append(np.asarray(model(images, training=False)))
    finally:
        for variable, value in kept:
            variable.assign(value)
    return found


def _check_shapes(outputs: Sequence[NDArray[np.float32]], classes: int) -> None:
    for output in outputs:
        if output.shape != (_IMAGES, classes):
            raise QbenchError(
                f"{_IMAGES} images give an output of shape {output.shape}; its layers say"
                f" {(None, classes)}: mend compute_output_shape, or the reshape."
            )


def _check_values(outputs: Sequence[NDArray[np.float32]]) -> None:
    """Refuse probabilities; outputs that are not finite are not checked."""
    finite = [output for output in outputs if np.isfinite(output).all()]
    if not finite:
        return
    values = np.stack(finite)
    if values.min() < 0.0 or values.max() > 1.0 + 1e-3:
        return
    if np.allclose(values.sum(axis=-1), 1.0, atol=1e-3):
        raise QbenchError(
            "its outputs are probabilities, no logits: none is negative and they sum to 1 with any"
            " weights; leave the softmax at its end out, since the loss applies it."
        )
    # The outputs of a normalized ReLU stay between 0 and 1 too, but some of them are 0.
    if values[0].min() > 0.0 and values.min() < 0.1 and values.max() > 0.9:
        raise QbenchError(
            "its outputs are no logits: they stay between 0 and 1 with any weights, as a sigmoid's"
            " outputs do; leave the sigmoid at its end out, since the loss applies a softmax."
        )
