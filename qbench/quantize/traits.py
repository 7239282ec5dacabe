"""What a layer or operation is and does, as placements and rewriting ask."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from qbench.quantize.kind import KEEPS, ONE_GRID, PASSES
from qbench.quantize.kinds import kind_of

KERNEL_ATTRIBUTES = ("kernel", "depthwise_kernel", "pointwise_kernel")


def is_convolution(op: Any) -> bool:
    """Whether `op` multiplies by a kernel: a convolution of any kind, or a dense layer."""
    kind = kind_of(op)
    return kind is not None and kind.kernel


def kernels(op: Any) -> list[Any]:
    """The kernel variables of a layer for which `is_convolution` holds."""
    found = (getattr(op, attribute, None) for attribute in KERNEL_ATTRIBUTES)
    return [kernel for kernel in found if kernel is not None]


def is_activation(op: Any) -> bool:
    """Whether `op` is an activation layer or op, or a layer with a nonlinear activation of its own.

    Softmax does not count: it gives probabilities at the end of a network.
    """
    import keras

    kind = kind_of(op)
    if kind is not None and kind.activates:
        return True
    function = getattr(op, "activation", None) if isinstance(op, keras.Layer) else None
    return function not in (None, keras.activations.linear, keras.activations.softmax)


def smallest_output(op: Any) -> float | None:
    """The known minimum of the outputs of `op`, which needs no measuring; None if unknown.

    It is 0 for a plain ReLU. If every output is positive, the true minimum is larger, but no op's
    grid depends on a minimum that is not negative.
    """
    import keras

    if op is None:
        return None
    if not isinstance(op, keras.Layer):
        return 0.0 if type(op).__name__ in ("Relu", "Relu6") else None
    if isinstance(op, keras.layers.ReLU):
        return None if op.negative_slope or op.threshold else 0.0
    plain = (keras.activations.relu, keras.activations.relu6)
    return 0.0 if getattr(op, "activation", None) in plain else None


def is_add(op: Any) -> bool:
    """Whether `op` is an addition: the layer Add, or `x + y` with two tensors."""
    return _is(op, "addition")


def is_product(op: Any) -> bool:
    """Whether `op` is a product of tensors, or of a tensor and a number."""
    return _is(op, "product")


def is_concatenation(op: Any) -> bool:
    """Whether `op` concatenates or stacks tensors; in a file they all have one grid."""
    kind = kind_of(op)
    return kind is not None and kind.inputs == ONE_GRID


def is_comparison(op: Any) -> bool:
    """Whether `op` is a maximum or minimum of tensors."""
    return _is(op, "maximum", "minimum")


def reads_to_multiply(op: Any, operands: int) -> bool:
    """Whether `op` multiplies its inputs by a kernel; see `Placement.inputs_of`."""
    return is_convolution(op)


def reads_to_add(op: Any, operands: int) -> bool:
    """Whether `op` adds its `operands` tensors, of which there must be two or more."""
    return is_add(op) and operands > 1


def is_average(op: Any) -> bool:
    """Whether `op` is an average pool or a mean over axes."""
    return _is(op, "global average") or _is(op, "average pool", "average pool of volumes")


def keeps_grid(op: Any) -> bool:
    """Whether LiteRT gives the new values of `op` the grid of its input.

    It does for average pools with a window, and for bilinear resizing. A global average pool
    becomes another operator, MEAN, whose output has its own grid.
    """
    kind = kind_of(op)
    return kind is not None and kind.grid == KEEPS


def passes_values_through(op: Any, arguments: Mapping[str, Any] | None = None) -> bool:
    """Whether every output value is an input value or 0, so that the grid stays the same.

    Args:
        op: the layer or operation.
        arguments: the keyword arguments of the call.
    """
    kind = kind_of(op, arguments)
    return kind is not None and kind.grid == PASSES


def is_identity_in_inference(op: Any) -> bool:
    """Whether a layer does something only in training, so that a file does not contain it."""
    kind = kind_of(op)
    return kind is not None and kind.idle


def has_slopes(op: Any) -> bool:
    """Whether `op` is a ReLU with trained slopes, computed by Keras' own code."""
    from qbench.quantize.calls import is_stock

    return _is(op, "ReLU with slopes of its own") and is_stock(op)


def is_split(op: Any) -> bool:
    """Whether `op` divides a tensor along an axis."""
    return _is(op, "split", "unstack")


def is_silu(op: Any) -> bool:
    """Whether `op` is x * logistic(x), computed by Keras' own code."""
    from qbench.quantize.calls import is_stock

    return _is(op, "SiLU") and is_stock(op)


def _is(op: Any, *names: str) -> bool:
    kind = kind_of(op)
    return kind is not None and kind.name in names
