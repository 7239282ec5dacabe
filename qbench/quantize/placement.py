"""Named rules that say which tensors of a functional Keras model are quantized."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from qbench.base.registry import Registry
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


def _never(*_: Any) -> bool:
    return False


def _none(_: Any) -> frozenset[str]:
    return frozenset()


def _as_contrib_quantize(graph: Any) -> frozenset[str]:
    from qbench.quantize.contrib import contrib_tensors

    return contrib_tensors(graph)


@dataclass(frozen=True)
class Placement:
    """A rule that says which tensors are quantized.

    Attributes:
        inputs_of: a function (op, number of tensors that it reads) -> whether the inputs of the op
            are quantized.
        outputs_of: a function (op) -> whether the outputs of the op are quantized, for every
            reader.
        shortcuts_of: a function (op, number of tensors that it reads) -> whether the shortcut
            inputs of the op are quantized. These are all inputs with fewer convolutions before them
            than the deepest input.
        kernels: whether the kernels of convolutions and dense layers are quantized.
        gathered: whether every tensor whose range is gathered is quantized, for every reader: the
            image, the output, and every tensor that another placement could quantize.
        tensors_of: a function (`qbench.quantize.tensors.Graph`) -> the names of the tensors that
            are quantized for every reader, for a rule that needs more than one op to decide.
    """

    inputs_of: Callable[[Any, int], bool] = _never
    outputs_of: Callable[[Any], bool] = _never
    shortcuts_of: Callable[[Any, int], bool] = _never
    kernels: bool = False
    gathered: bool = False
    tensors_of: Callable[[Any], frozenset[str]] = _none


PLACEMENTS: Registry[Placement] = Registry("quant.placement", outside=False)
PLACEMENTS.add("conv", Placement(inputs_of=reads_to_multiply, kernels=True))
PLACEMENTS.add("activation", Placement(outputs_of=is_activation))
PLACEMENTS.add("add", Placement(inputs_of=reads_to_add))
PLACEMENTS.add("shortcut", Placement(shortcuts_of=reads_to_add))
PLACEMENTS.add("deploy", Placement(kernels=True, gathered=True))
PLACEMENTS.add("contrib", Placement(kernels=True, tensors_of=_as_contrib_quantize))


def names_kernels(placement: Iterable[str]) -> bool:
    """Whether one of these placements quantizes the kernels of convolutions and dense layers."""
    return any(PLACEMENTS[name].kernels for name in placement)
