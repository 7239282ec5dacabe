"""Named rules that say which tensors of a functional Keras model are quantized."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from qbench.base.registry import Registry

KERNEL_ATTRIBUTES = ("kernel", "depthwise_kernel", "pointwise_kernel")


def is_convolution(op: Any) -> bool:
    """Whether `op` multiplies by a kernel: a convolution of any kind, or a dense layer."""
    import keras

    return isinstance(
        op,
        keras.layers.Conv1D
        | keras.layers.Conv2D
        | keras.layers.Conv3D
        | keras.layers.Conv1DTranspose
        | keras.layers.Conv2DTranspose
        | keras.layers.Conv3DTranspose
        | keras.layers.DepthwiseConv1D
        | keras.layers.DepthwiseConv2D
        | keras.layers.SeparableConv1D
        | keras.layers.SeparableConv2D
        | keras.layers.Dense
        | keras.layers.EinsumDense,
    )


def kernels(op: Any) -> list[Any]:
    """The kernel variables of a layer for which `is_convolution` holds."""
    found = (getattr(op, attribute, None) for attribute in KERNEL_ATTRIBUTES)
    return [kernel for kernel in found if kernel is not None]


# Class names of operations (keras.ops) that compute the same as layers with other names.
_ACTIVATION_OPS = frozenset(
    {
        "Celu",
        "Elu",
        "Gelu",
        "Glu",
        "HardSigmoid",
        "HardSilu",
        "HardTanh",
        "LeakyRelu",
        "Mish",
        "Relu",
        "Relu6",
        "Selu",
        "Sigmoid",
        "Silu",
        "Softplus",
        "Tanh",
    }
)
_PASSING_OPS = frozenset(
    {
        "ExpandDims",
        "Flip",
        "GetItem",
        "Max",
        "MaxPool",
        "Moveaxis",
        "Pad",
        "Ravel",
        "Repeat",
        "Reshape",
        "Slice",
        "Split",
        "Squeeze",
        "Swapaxes",
        "Tile",
        "Transpose",
        "Unstack",
    }
)
_JOINING_OPS = frozenset({"Concatenate", "Stack"})


def _is_operation(op: Any, *names: str) -> bool:
    """Whether `op` is an operation, not a layer, of one of these classes."""
    import keras

    return not isinstance(op, keras.Layer) and type(op).__name__ in names


def is_activation(op: Any) -> bool:
    """Whether `op` is an activation layer or op, or a layer with a nonlinear activation of its own.

    Softmax does not count: it gives probabilities at the end of a network.
    """
    import keras

    if not isinstance(op, keras.Layer):
        return _is_operation(op, *_ACTIVATION_OPS)
    if isinstance(op, keras.layers.ReLU | keras.layers.LeakyReLU | keras.layers.PReLU):
        return True
    if isinstance(op, keras.layers.ELU):
        return True
    function = getattr(op, "activation", None)
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
        return 0.0 if _is_operation(op, "Relu", "Relu6") else None
    if isinstance(op, keras.layers.ReLU):
        return None if op.negative_slope or op.threshold else 0.0
    plain = (keras.activations.relu, keras.activations.relu6)
    return 0.0 if getattr(op, "activation", None) in plain else None


def is_add(op: Any) -> bool:
    """Whether `op` is an addition: the layer Add, or `x + y` with two tensors."""
    import keras

    return isinstance(op, keras.layers.Add) or _is_operation(op, "Add")


def is_concatenation(op: Any) -> bool:
    """Whether `op` concatenates or stacks tensors; in a file they all have one grid."""
    import keras

    return isinstance(op, keras.layers.Concatenate) or _is_operation(op, *_JOINING_OPS)


def reads_to_multiply(op: Any, operands: int) -> bool:
    """Whether `op` multiplies its inputs by a kernel; see `Placement.inputs_of`."""
    return is_convolution(op)


def reads_to_add(op: Any, operands: int) -> bool:
    """Whether `op` adds its `operands` tensors, of which there must be two or more."""
    return is_add(op) and operands > 1


def is_average(op: Any) -> bool:
    """Whether `op` is an average pool: an integer kernel needs the range of its input."""
    import keras

    layers = keras.layers
    if keeps_grid(op) or _is_operation(op, "Mean"):
        return True
    return isinstance(
        op,
        layers.GlobalAveragePooling1D
        | layers.GlobalAveragePooling2D
        | layers.GlobalAveragePooling3D,
    )


def keeps_grid(op: Any) -> bool:
    """Whether `op` is an average pool with a window: LiteRT gives its output the input's grid.

    A global average pool becomes another operator, MEAN, whose output has its own grid.
    """
    import keras

    layers = keras.layers
    return _is_operation(op, "AveragePool") or isinstance(
        op, layers.AveragePooling1D | layers.AveragePooling2D | layers.AveragePooling3D
    )


def passes_values_through(op: Any, arguments: Mapping[str, Any] | None = None) -> bool:
    """Whether every output value is an input value or 0, so that the grid stays the same.

    Args:
        op: the layer or operation.
        arguments: the keyword arguments of the call.
    """
    import keras

    layers = keras.layers
    if isinstance(op, layers.UpSampling2D):
        return bool(op.interpolation == "nearest")
    if _is_operation(op, *_PASSING_OPS):
        # Another number that pads a tensor, or that is compared with it, may not be on the grid.
        padded = (arguments or {}).get("constant_values")
        return padded in (None, 0) and getattr(op, "initial", None) in (None, 0)
    return isinstance(
        op,
        layers.ZeroPadding1D
        | layers.ZeroPadding2D
        | layers.ZeroPadding3D
        | layers.MaxPooling1D
        | layers.MaxPooling2D
        | layers.MaxPooling3D
        | layers.GlobalMaxPooling1D
        | layers.GlobalMaxPooling2D
        | layers.Cropping1D
        | layers.Cropping2D
        | layers.Cropping3D
        | layers.Flatten
        | layers.Reshape
        | layers.Permute
        | layers.Identity
        | layers.RepeatVector
        | layers.UpSampling1D
        | layers.UpSampling3D,
    )


def is_identity_in_inference(op: Any) -> bool:
    """Whether a layer does something only in training, so that a file does not contain it."""
    import keras

    layers = keras.layers
    return isinstance(
        op,
        layers.Dropout
        | layers.SpatialDropout1D
        | layers.SpatialDropout2D
        | layers.SpatialDropout3D
        | layers.AlphaDropout
        | layers.GaussianDropout
        | layers.GaussianNoise
        | layers.ActivityRegularization
        | layers.Identity,
    )


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
