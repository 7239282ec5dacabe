"""One operator of a file, and the checks of its tensors that several kinds of operators share."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qbench.base.errors import QbenchError
from qbench.deploy.integer.arithmetic import Clamp, Int8
from qbench.deploy.integer.graph import Graph, Operator, Tensor

Shape = tuple[int, ...]
_ACTIVATIONS: dict[int, tuple[float | None, float | None]] = {
    0: (None, None),
    1: (0.0, None),
    2: (-1.0, 1.0),
    3: (0.0, 6.0),
}
_NAMES = {4: "TANH", 5: "SIGN_BIT"}


@dataclass(frozen=True)
class Step:
    """An operator that is ready to run.

    Attributes:
        shape: the shape of its output for one image, with the batch axis: (1, ...).
        apply: takes the computed input tensors, int8 (N, ...), and returns the output tensor, int8
            (N, ...). It does not take constant inputs.
    """

    shape: Shape
    apply: Callable[..., Int8]


class Node:
    """An operator with its tensors.

    The first axis of every computed tensor is the batch. Its size is 1 in the file and N in a run
    of N images. Such a run gives the same codes as N runs of one image.

    The grid of a tensor is its scale and its zero point.
    """

    def __init__(self, graph: Graph, number: int) -> None:
        self.operator: Operator = graph.operators[number]
        self.name = f"operator {number} ({self.operator.name})"
        self._tensors = graph.tensors
        if len(self.operator.outputs) != 1:
            raise self.error(f"has {len(self.operator.outputs)} outputs, expected 1")

    def error(self, what: str) -> QbenchError:
        """An error about this operator; `what` is the text after the operator's name."""
        return QbenchError(f"{self.name} {what}.")

    @property
    def output(self) -> Tensor:
        """Its output tensor, int8 with one scale."""
        return self.grid(self._tensors[self.operator.outputs[0]])

    @property
    def inputs(self) -> int:
        """The number of its inputs, including absent inputs."""
        return len(self.operator.inputs)

    def input(self, k: int) -> Tensor | None:
        """Its input k, counted from 0; None if the input is absent."""
        number = self.operator.inputs[k] if k < self.inputs else -1
        return None if number < 0 else self._tensors[number]

    def grid(self, tensor: Tensor | None) -> Tensor:
        """Check that a tensor is int8, with one scale and an int8 zero point, and return it.

        Raises:
            QbenchError: the tensor is absent or has another type or grid.
        """
        if tensor is None:
            raise self.error("lacks an input")
        if tensor.dtype != "int8" or len(tensor.scales) != 1:
            raise self.error(
                f"has the tensor {tensor.name!r} ({tensor.dtype}, {len(tensor.scales)} scales);"
                " the integer reference runs int8 tensors with one scale"
            )
        self._zero_point(tensor)
        return tensor

    def _zero_point(self, tensor: Tensor) -> None:
        """Check that the first zero point is an int8 code."""
        if not -128 <= tensor.zero_points[0] <= 127:
            raise self.error(f"has the zero point {tensor.zero_points[0]}, which is no int8 code")

    def computed(self, k: int = 0) -> Tensor:
        """Its input k, a computed int8 tensor of shape (1, ...).

        Raises:
            QbenchError: the input is a constant, or has another shape, type or grid.
        """
        tensor = self.grid(self.input(k))
        if tensor.data is not None:
            raise self.error(
                f"has a constant, {tensor.name!r}, where a computed tensor is expected"
            )
        if not tensor.shape or tensor.shape[0] != 1:
            raise self.error(f"has the shape {tensor.shape}, expected a batch of 1 first")
        return tensor

    def images(self, k: int = 0) -> Tensor:
        """Its input k, a computed int8 tensor of shape (1, H, W, C).

        Raises:
            QbenchError: the input is a constant, or has another shape, type or grid.
        """
        tensor = self.computed(k)
        if len(tensor.shape) != 4 or 0 in tensor.shape:
            raise self.error(f"has the shape {tensor.shape}, expected (1, height, width, channels)")
        return tensor

    def constant(self, k: int, *dtypes: str) -> NDArray[Any]:
        """The values of its input k, which is a constant.

        Args:
            k: the position of the input, counted from 0.
            dtypes: the allowed types.

        Raises:
            QbenchError: the input is absent, is not a constant, or has another type.
        """
        tensor = self.input(k)
        if tensor is None or tensor.data is None or tensor.dtype not in dtypes:
            raise self.error(f"expects its input {k} to be a constant of {' or '.join(dtypes)}")
        return tensor.data

    def kernel(self, channels: int, axis: int) -> Tensor:
        """Input 1, the int8 kernel, with one scale or one scale per channel.

        Args:
            channels: number of output channels.
            axis: the kernel's axis of output channels.

        Raises:
            QbenchError: the kernel is not an int8 constant, is empty, or has another number of
                scales; its zero point is not an int8 code; or it has one scale per channel, but
                along another axis or with a zero point other than 0.
        """
        data = self.constant(1, "int8")
        tensor = self.input(1)
        assert tensor is not None
        if len(tensor.scales) not in (1, channels):
            raise self.error(f"has {len(tensor.scales)} scales for {channels} channels")
        if len(tensor.scales) > 1 and (tensor.axis != axis or any(tensor.zero_points)):
            raise self.error(
                f"expects one kernel scale per channel on axis {axis} and zero points of 0"
            )
        if 0 in data.shape or not tensor.scales:
            raise self.error(f"has a kernel of shape {data.shape} and {len(tensor.scales)} scales")
        self._zero_point(tensor)
        return tensor

    def bias(self, channels: int, k: int = 2) -> NDArray[np.int64]:
        """Input k, the int32 bias, as int64 (channels,); zeros if it is absent.

        The scale of the bias is assumed to be S1 S2 (eq. 11).

        Raises:
            QbenchError: the bias is not an int32 constant or has another shape.
        """
        if self.input(k) is None:
            return np.zeros(channels, np.int64)
        data = self.constant(k, "int32")
        if data.shape != (channels,):
            raise self.error(f"has a bias of shape {data.shape} for {channels} channels")
        return data.astype(np.int64)

    def option(self, name: str, least: int = 0) -> int:
        """The value of one option.

        Args:
            name: the name of the field in the schema.
            least: the smallest allowed value.

        Raises:
            QbenchError: the value is below `least`.
        """
        value = int(self.operator.options[name])
        if value < least:
            raise self.error(f"has {name} {value}, expected at least {least}")
        return value

    def number(self, name: str) -> float:
        """The value of one option that is a real number.

        Raises:
            QbenchError: it is not finite.
        """
        value = float(self.operator.options[name])
        if not math.isfinite(value):
            raise self.error(f"has {name} {value}")
        return value

    def same_grid(self, tensor: Tensor) -> None:
        """Check that a tensor has the grid of the output.

        Raises:
            QbenchError: the tensor has another scale or zero point.
        """
        output = self.output
        if (tensor.scales, tensor.zero_points) != (output.scales, output.zero_points):
            raise self.error(f"has {tensor.name!r} on another grid than its output")

    def clamp(self) -> Clamp:
        """The range of output codes that the fused activation allows (section 2.4).

        The range is computed as in TensorFlow Lite's CalculateActivationRangeQuantized. Each end of
        the activation's range is divided by the scale in float32 and rounded to an integer; a tie
        goes away from zero. Then the zero point is added.

        Raises:
            QbenchError: the activation is not a clamp.
        """
        number = self.option("FusedActivationFunction")
        if number not in _ACTIVATIONS:
            kind = _NAMES.get(number, number)
            raise self.error(f"has the activation {kind}, which is not a clamp")
        scale, zero_point = np.float32(self.output.scales[0]), self.output.zero_points[0]
        low, high = (
            None if end is None else zero_point + round_away(float(np.float32(end) / scale))
            for end in _ACTIVATIONS[number]
        )
        return Clamp(
            -128 if low is None else min(max(-128, low), 127),
            127 if high is None else max(min(127, high), -128),
        )


def round_away(value: float) -> int:
    """The nearest integer; a tie goes away from zero, as in C's round()."""
    nearest = int(abs(value))
    nearest += abs(value) - nearest >= 0.5
    return nearest if value >= 0 else -nearest
