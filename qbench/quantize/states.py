"""The variables of a scheme: some for each quantized kernel and for each quantized tensor."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class StateVariable:
    """The description of a variable that a scheme keeps for one kernel or tensor.

    Attributes:
        name: the name of the variable among those of the kernel or tensor.
        shape: its shape.
        initial: the value of all its elements before the first phase of the scheme begins.
        dtype: its type.
        trained: whether training steps change it by its gradient.
        measured: whether quantized training steps set it, see `KernelQuantizing.measured`; only for
            kernels.
    """

    name: str
    shape: tuple[int, ...] = ()
    initial: float = 0.0
    dtype: str = "float32"
    trained: bool = False
    measured: bool = False


@dataclass(frozen=True, eq=False)
class QuantizerState:
    """The variables of one kernel or tensor. Keras does not track them as weights of a layer.

    Attributes:
        variables: the Keras variables by name.
    """

    variables: Mapping[str, Any] = field(default_factory=dict)

    def tensors(self) -> dict[str, Any]:
        """The values in a TensorFlow graph, by name."""
        import tensorflow as tf

        return {name: tf.convert_to_tensor(one.value) for name, one in self.variables.items()}

    def store(self, values: Mapping[str, Any]) -> None:
        """Set variables to tensors of a TensorFlow graph, by name."""
        for name, value in values.items():
            self.variables[name].assign(value)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """The values as arrays, by name."""
        return {name: one.numpy() for name, one in self.variables.items()}

    def set(self, name: str, value: Any) -> None:
        """Set a variable to a value of its shape."""
        variable = self.variables[name]
        variable.assign(np.asarray(value, variable.dtype))


EMPTY = QuantizerState()


@dataclass(frozen=True, eq=False)
class States:
    """The states of all quantized kernels and tensors of a network.

    Attributes:
        kernels: by name of the kernel, see `kernel_name`.
        tensors: by name of the tensor whose range counts.
    """

    kernels: Mapping[str, QuantizerState] = field(default_factory=dict)
    tensors: Mapping[str, QuantizerState] = field(default_factory=dict)

    def of_kernel(self, layer: Any, kernel: Any) -> QuantizerState:
        """The state of a layer's kernel."""
        return self.kernels.get(kernel_name(layer, kernel), EMPTY)

    def of_tensor(self, name: str) -> QuantizerState:
        """The state of the tensor with this name."""
        return self.tensors.get(name, EMPTY)

    def variables(self) -> Iterator[tuple[str, Any]]:
        """Every variable with a name of its own, in a fixed order."""
        for kind, states in (("kernel", self.kernels), ("tensor", self.tensors)):
            for owner, state in states.items():
                for name, variable in state.variables.items():
                    yield f"{kind}:{owner}:{name}", variable


NO_STATES = States()


def kernel_name(layer: Any, kernel: Any) -> str:
    """The name of a kernel: the names of its layer and of the variable."""
    return f"{layer.name}/{kernel.name}"
