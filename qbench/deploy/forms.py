"""Operations written so that the converter finds their LiteRT operators.

Some operations become several operators in a file. The tensors between them need grids too. Their
scope in the file is `<name>.inner`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from qbench.deploy.grids import Grid, affine_grid
from qbench.deploy.on_grid import OnGrid
from qbench.quantize.calls import is_stock
from qbench.quantize.fixed_grid import LOGISTIC
from qbench.quantize.kinds import kind_of

INNER = ".inner"
# A function of the tensors that an operation reads.
Function = Callable[..., Any]


class Formula(keras.layers.Layer):
    """A function of tensors in a scope of its own."""

    def __init__(self, function: Function, name: str) -> None:
        super().__init__(name=name)
        self.function = function

    def call(self, tensors: list[Any]) -> Any:
        """Compute the function of `tensors`."""
        return self.function(*tensors)


def inner_grid(op: Any, operands: int, grid: Grid | None) -> Grid | None:
    """The grid of the tensor inside an operation; None if the file has no such tensor.

    Args:
        op: the operation.
        operands: the number of tensors that it reads.
        grid: the grid of its output; None if it has none.
    """
    kind = kind_of(op)
    if kind is None or not is_stock(op):
        return None
    if kind.name == "SiLU":
        return affine_grid(*LOGISTIC.ends)
    if grid is None:
        return None
    # The last operator multiplies by a number. On a grid that is wider by this number, it leaves
    # every code as it is.
    if kind.name == "hard sigmoid":
        return Grid(6 * grid.scale, grid.zero_point)
    if kind.name == "average of tensors" and operands == 2:
        return Grid(2 * grid.scale, grid.zero_point)
    return None


def in_file(
    op: Any,
    args: Sequence[Any],
    kwargs: dict[str, Any],
    grid: Grid | None,
    name: Callable[[str], str],
) -> Any | None:
    """The result of a call, written for the converter; None if it is to be called as it is.

    Args:
        op: the layer or operation.
        args: the arguments of the call, symbolic tensors among them.
        kwargs: its keyword arguments.
        grid: the grid of its output in the file; None if it has none.
        name: makes a name for a layer unique.
    """
    kind = kind_of(op, kwargs)
    if kind is None or not is_stock(op):
        return None
    tensors = [x for x in keras.tree.flatten(args) if keras.utils.is_keras_tensor(x)]
    inner = inner_grid(op, len(tensors), grid)
    whole = _WHOLE[kind.name](op) if kind.name in _WHOLE else None
    if whole is not None:
        return Formula(whole, name(op.name))(tensors)
    if kind.name not in _PARTS or inner is None:
        return None
    first, last = _PARTS[kind.name]
    own = name(op.name)
    part = OnGrid(inner, f"{own}{INNER}", first)(tensors)
    return Formula(last, own)([part, *tensors])


def parts_in_file(op: Any, x: Any, name: Callable[[str], str]) -> Any:
    """The results of a split or unstacking, each cut out of x by itself.

    The converter leaves a split float if nothing reads one of its results. What is cut out for
    nobody is not in the file.

    Args:
        op: the operation; its axis is not that of the batch.
        x: the symbolic tensor that it reads.
        name: makes a name for a layer unique.
    """
    axis, rank = op.axis % len(x.shape), len(x.shape)
    parts = op.compute_output_spec(x)
    stacked = len(parts[0].shape) < rank
    sizes = [1 if stacked else part.shape[axis] for part in parts]

    def cut(x: Any) -> list[Any]:
        before = [slice(None)] * axis
        ends = [sum(sizes[: k + 1]) for k in range(len(sizes))]
        starts = [end - size for end, size in zip(ends, sizes, strict=True)]
        places = starts if stacked else list(map(slice, starts, ends))
        return [x[(*before, place)] for place in places]

    return Formula(cut, name(op.name))([x])


def _hard_silu(op: Any) -> Function:
    return lambda x: x * tf.nn.relu6(x + 3.0) * (1 / 6)


def _with_slopes(op: Any) -> Function:
    """The form in which the converter finds PRELU; it rounds constant slopes to a grid itself."""
    slopes = np.asarray(op.alpha)
    return lambda x: tf.nn.relu(x) + (-tf.constant(slopes)) * tf.nn.relu(-x)


def _nearest(op: Any) -> Function | None:
    """UpSampling2D as one operator in place of two repetitions; others are one already."""
    if not isinstance(op, keras.layers.UpSampling2D):
        return None

    def enlarged(x: Any) -> Any:
        size = [side * times for side, times in zip(x.shape[1:3], op.size, strict=True)]
        return tf.compat.v1.image.resize_nearest_neighbor(x, size)

    return enlarged


_WHOLE: dict[str, Callable[[Any], Function | None]] = {
    "hard SiLU": _hard_silu,
    "ReLU with slopes of its own": _with_slopes,
    "nearest resizing": _nearest,
}
# What comes before the tensor inside, and what makes the output from it and the inputs.
_PARTS: dict[str, tuple[Function, Function]] = {
    "SiLU": (tf.sigmoid, lambda gate, x: x * gate),
    "hard sigmoid": (lambda x: tf.nn.relu6(x + 3.0), lambda part, x: part * (1 / 6)),
    "average of tensors": (lambda x, y: x + y, lambda part, x, y: part * 0.5),
}
