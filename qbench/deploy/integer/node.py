"""An operator of a file, with the checks that every kind of operator makes of its tensors."""

from __future__ import annotations

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
    """An operator, ready to be applied.

    Attributes:
        shape: the shape of its output for one image, batch included: (1, ...).
        apply: computes its output from its inputs (N, ...), int8, without the constants of the
            file.
    """

    shape: Shape
    apply: Callable[..., Int8]


class Node:
    """An operator with its tensors.

    The first size of every computed tensor is the batch: 1 in the file, and N if N images are run.
    The results are the same as for one image after another.
    """

    def __init__(self, graph: Graph, number: int) -> None:
        self.operator: Operator = graph.operators[number]
        self.name = f"operator {number} ({self.operator.name})"
        self._tensors = graph.tensors
        if len(self.operator.outputs) != 1:
            raise self.error(f"has {len(self.operator.outputs)} outputs, expected 1")

    def error(self, what: str) -> QbenchError:
        """An error about this operator; `what` follows its name."""
        return QbenchError(f"{self.name} {what}.")

    @property
    def output(self) -> Tensor:
        """The tensor it makes, int8 with one scale."""
        return self.grid(self._tensors[self.operator.outputs[0]])

    @property
    def inputs(self) -> int:
        """The number of its inputs, absent ones included."""
        return len(self.operator.inputs)

    def input(self, k: int) -> Tensor | None:
        """Its k-th input, if there is one."""
        number = self.operator.inputs[k] if k < self.inputs else -1
        return None if number < 0 else self._tensors[number]

    def grid(self, tensor: Tensor | None) -> Tensor:
        """The tensor, checked to be int8 with one scale and a zero point that is a code."""
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
        if not -128 <= tensor.zero_points[0] <= 127:
            raise self.error(f"has the zero point {tensor.zero_points[0]}, which is no int8 code")

    def computed(self, k: int = 0) -> Tensor:
        """Its k-th input, an int8 tensor that is no constant."""
        tensor = self.grid(self.input(k))
        if tensor.data is not None:
            raise self.error(
                f"has a constant, {tensor.name!r}, where a computed tensor is expected"
            )
        if not tensor.shape or tensor.shape[0] != 1:
            raise self.error(f"has the shape {tensor.shape}, expected a batch of 1 first")
        return tensor

    def images(self, k: int = 0) -> Tensor:
        """Its k-th input, of shape (1, H, W, C)."""
        tensor = self.computed(k)
        if len(tensor.shape) != 4 or 0 in tensor.shape:
            raise self.error(f"has the shape {tensor.shape}, expected (1, height, width, channels)")
        return tensor

    def constant(self, k: int, *dtypes: str) -> NDArray[Any]:
        """The values of its k-th input."""
        tensor = self.input(k)
        if tensor is None or tensor.data is None or tensor.dtype not in dtypes:
            raise self.error(f"expects its input {k} to be a constant of {' or '.join(dtypes)}")
        return tensor.data

    def kernel(self, channels: int, axis: int) -> Tensor:
        """Input 1, int8, with one scale or one for each of the channels."""
        data = self.constant(1, "int8")
        tensor = self.input(1)
        assert tensor is not None
        if len(tensor.scales) not in (1, channels):
            raise self.error(f"has {len(tensor.scales)} scales for {channels} channels")
        if len(tensor.scales) > 1 and (tensor.axis != axis or any(tensor.zero_points)):
            raise self.error("has a kernel with a scale a channel that is not symmetric by channel")
        if 0 in data.shape or not tensor.scales:
            raise self.error(f"has a kernel of shape {data.shape} and {len(tensor.scales)} scales")
        self._zero_point(tensor)
        return tensor

    def bias(self, channels: int) -> NDArray[np.int64]:
        """Input 2: (channels,), 0 if it is absent; its scale is assumed to be S1 S2 (eq. 11)."""
        if self.input(2) is None:
            return np.zeros(channels, np.int64)
        data = self.constant(2, "int32")
        if data.shape != (channels,):
            raise self.error(f"has a bias of shape {data.shape} for {channels} channels")
        return data.astype(np.int64)

    def option(self, name: str, least: int = 0) -> int:
        """One of its options."""
        value = self.operator.options[name]
        if value < least:
            raise self.error(f"has {name} {value}, expected at least {least}")
        return value

    def same_grid(self, tensor: Tensor) -> None:
        """Raises unless the tensor has the scale and zero point of the output."""
        output = self.output
        if (tensor.scales, tensor.zero_points) != (output.scales, output.zero_points):
            raise self.error(f"has {tensor.name!r} on another grid than its output")

    def clamp(self) -> Clamp:
        """The fused activation as codes of the output (section 2.4).

        As TensorFlow Lite's CalculateActivationRangeQuantized: an end of the activation's range is
        divided by the scale in float32 and rounded, ties away from zero.
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
