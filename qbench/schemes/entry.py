"""The view of a network that a scheme gets when one of its phases begins."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qbench.quantize.interface import KernelQuantizing
from qbench.quantize.states import QuantizerState

Array = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class EnteredKernel:
    """A quantized kernel when a phase begins.

    Attributes:
        name: the name of its layer and of the variable, `<layer>/<variable>`.
        layer: the Keras layer that owns it.
        variable: the Keras variable.
        factor: (channels,) float32. The quantizer gets the kernel times this factor, by which batch
            normalization is folded in; see `qbench.quantize.folding.scaled`. None if it is not.
        state: the variables that the scheme keeps for it.
        quantizer: its quantizer in the finished network, without a state.
    """

    name: str
    layer: Any
    variable: Any
    factor: Array | None
    state: QuantizerState
    quantizer: KernelQuantizing

    @property
    def value(self) -> Array:
        """The values of the kernel."""
        result: Array = self.variable.numpy()
        return result

    @property
    def read(self) -> Array:
        """The values that the quantizer gets in inference."""
        if self.factor is None:
            return self.value
        from qbench.quantize.folding import scaled

        return np.asarray(scaled(self.layer, self.value, self.factor))

    @property
    def quantized(self) -> Array:
        """The values of the finished network if nothing changes any more."""
        import tensorflow as tf

        quantizer, value = self.quantizer.with_state(self.state.arrays()), tf.constant(self.read)
        result: Array = np.asarray(quantizer(self.layer, self.variable, value))
        return result

    def set(self, value: Any) -> None:
        """Set the kernel to a value of its shape."""
        self.variable.assign(np.asarray(value, np.float32))


@dataclass(frozen=True)
class EnteredTensor:
    """A quantized tensor when a phase begins.

    Attributes:
        name: the tensor whose range counts.
        low: the minimum of its averaged range; tensors with a shared range have one for them all.
        high: the maximum of its averaged range.
        state: the variables that the scheme keeps for it.
    """

    name: str
    low: float
    high: float
    state: QuantizerState


@dataclass(frozen=True)
class Entry:
    """Everything that a scheme may use and set when one of its phases begins.

    Attributes:
        kernels: the quantized kernels, in the order of the network.
        tensors: the quantized tensors.
        seed: the seed of the run.
        step: the number of steps done.
        loss: computes the mean loss of the task over the scheme's `validation_images`; infinite if
            it is not a number. The finished network computes it in inference, with the variables
            as they are now. The images are spread evenly over all validation images.
    """

    kernels: Sequence[EnteredKernel]
    tensors: Sequence[EnteredTensor]
    seed: int
    step: int
    loss: Callable[[], float]
