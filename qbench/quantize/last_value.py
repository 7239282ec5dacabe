"""Kernel ranges that training steps store, as TensorFlow 1's LastValueQuantize does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from qbench.quantize.kernels import KernelQuantizer
from qbench.quantize.ops import OpGrid
from qbench.quantize.states import StateVariable

LAST = "range of the kernel in the last training step"
LOW, HIGH = "low", "high"
VARIABLES: Sequence[StateVariable] = tuple(
    StateVariable(name, measured=True) for name in (LOW, HIGH)
)


@dataclass(frozen=True)
class LastValueQuantizer(KernelQuantizer):
    """A kernel quantizer whose range is stored; it has one range for the whole kernel.

    A training step stores the range of the kernel that it reads, widened until it includes 0, and
    then quantizes with it. Evaluation and files use the stored range. It belongs to the kernel
    before the last update, so the kernel may reach beyond it.

    Attributes:
        ends: the stored range, () float32 each; None without a state.
    """

    ends: tuple[Any, Any] | None = field(default=None, compare=False)

    @property
    def source(self) -> str:
        """See `LAST`."""
        return LAST

    def with_state(self, state: Mapping[str, Any]) -> LastValueQuantizer:
        """The quantizer with the stored range of one kernel."""
        return replace(self, ends=(state[LOW], state[HIGH])) if state else self

    def measured(self, value: Any) -> Mapping[str, Any]:
        """The range to store for a kernel."""
        import tensorflow as tf

        still = tf.stop_gradient(value)
        low, high = tf.reduce_min(still), tf.reduce_max(still)
        return {LOW: tf.minimum(low, 0.0), HIGH: tf.maximum(high, 0.0)}

    def grids(self, layer: Any, kernel: Any, value: Any) -> list[OpGrid]:
        """The grid of the kernel over its stored range."""
        if self.ends is None:
            return super().grids(layer, kernel, value)
        low, high = (float(np.asarray(end)) for end in self.ends)
        return [self.grid_over(low, high)]

    def ends_of(self, x: Any, per_channel: bool) -> tuple[Any, Any]:
        """The stored range."""
        return super().ends_of(x, per_channel) if self.ends is None else self.ends
