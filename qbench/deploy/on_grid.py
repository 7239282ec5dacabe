"""A layer that puts a tensor on the grid of a file."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from qbench.deploy.grids import Grid


class OnGrid(keras.layers.Layer):
    """Puts its input on a grid, as a FakeQuant op that the converter reads."""

    def __init__(self, grid: Grid, name: str, function: Callable[..., Any] | None = None) -> None:
        """With a `function`, what it makes of a list of tensors is put on the grid."""
        super().__init__(name=name)
        self.grid = grid
        self.function = function
        self.leaves_out_grid = False

    def call(self, x: Any) -> Any:
        """Quantize `x`, float32 of any shape, or the function of `x`, a list of tensors."""
        y = x if self.function is None else self.function(*x)
        if self.leaves_out_grid:
            return y
        low, high = self.grid.ends
        return tf.quantization.fake_quant_with_min_max_args(y, low, high, num_bits=8)

    def compute_output_spec(self, x: Any) -> Any:
        """Without a function, shape and dtype stay."""
        if self.function is not None:
            return super().compute_output_spec(x)
        return keras.KerasTensor(x.shape, x.dtype)
