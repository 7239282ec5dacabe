"""A trained network as a float graph whose every tensor lies on the grid of an int8 file.

TensorFlow's converter reads the grids from FakeQuant ops. Batch normalization is folded into the
kernels first; kernels get one scale a channel, so that the trained grid, times the channel's
factor, is a grid of the file's (Jacob et al. 2018, section 3; LiteRT wants kernels symmetric,
without the lowest code).
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from qbench.deploy.grids import HIGHEST, Grid, kernel_step, tensor_grid
from qbench.errors import QbenchError
from qbench.experiment import Quant
from qbench.quantize.folding import Affine, Array, affine, foldable
from qbench.quantize.placement import PLACEMENTS, is_convolution, kernels
from qbench.quantize.quantizer import scheme_of
from qbench.quantize.ranges import RangeAverages
from qbench.quantize.rewrite import Rewriter, Tensor, functional, rewrite, walk

# Their kernels have the output channels last, as one scale a channel needs.
CONVERTIBLE = (keras.layers.Conv2D, keras.layers.Dense)


def export_model(
    model: Any, averages: RangeAverages, quant: Quant, on_grids: bool = True
) -> tuple[Any, list[str]]:
    """The Keras model to convert, and what only the file quantizes.

    Args:
        model: the trained float model.
        averages: its range averages.
        quant: how the run was quantized.
        on_grids: put kernels and every gathered tensor on the grids of an int8 file. Otherwise
            kernels have the values they had in the simulation, and all else is float.

    Returns:
        The model, and the names of tensors (and `kernels`) that the simulation left float and the
        model does not.

    Raises:
        QbenchError: a layer of the model cannot be converted.
    """
    model = functional(model)
    exporter = _Exporter(model, averages, quant, on_grids)
    return exporter.export(model), exporter.left_float


class _Exporter(Rewriter):
    """Rewrites with constants in the place of variables, and every gathered tensor on a grid."""

    def __init__(self, model: Any, averages: RangeAverages, quant: Quant, on_grids: bool) -> None:
        super().__init__(None, averages)
        self.quant = quant
        self.on_grids = on_grids
        scheme = scheme_of(quant)
        placed = [PLACEMENTS[name].kernels for name in scheme.placement] if scheme else []
        self.kernel = scheme.kernel if scheme and any(placed) else None
        self.rows = {name: row for row, name in enumerate(averages.tensors)}
        self.ranges = averages.averages.numpy()
        self.folds = foldable(model)
        self.folded = {norm.name for norm in self.folds.values()}
        view = rewrite(model, scheme, averages)
        self.simulated = {insertion.root for insertion in view.insertions}
        self.left_float = [] if self.kernel or not on_grids else ["kernels"]

    def export(self, model: Any) -> Any:
        """The model to convert."""
        self.layer_names |= {op.name for op in model.operations}
        clone = walk(model, self.call)
        (output,) = clone.outputs
        tensor = self._placed(self._tensor(output))
        return keras.Model(clone.inputs, tensor.value, name=model.name)

    def _apply(self, op: Any, *args: Any, **kwargs: Any) -> Any:
        if op.name in self.folded:
            return args[0]
        if not is_convolution(op):
            return op(*args, **kwargs)
        return self._baked(op)(*args, **kwargs)

    def call(self, op: Any, *args: Any, **kwargs: Any) -> Any:
        """As in every rewrite; a folded normalization gives its name to what it normalized."""
        output = super().call(op, *args, **kwargs)
        if op.name in self.folded:
            tensor = self._tensor(output)
            tensor.name, tensor.producer = op.name, op
        return output

    def _baked(self, op: Any) -> Any:
        if not isinstance(op, CONVERTIBLE):
            raise QbenchError(f"{op.name}: a {type(op).__name__} cannot be converted yet.")
        kernel = np.asarray(kernels(op)[0])
        whole = affine(op, self.folds.get(op.name), kernel.shape[-1])
        step = 0.0  # without a trained step: the smallest that holds each channel
        if self.kernel:
            ends = float(kernel.min()), float(kernel.max())
            step = kernel_step(*ends, self.quant)
            kernel = self.kernel(tf.constant(kernel), *ends).numpy()
        name = self._layer_name(f"{op.name}.baked")
        return BakedConvolution(op, kernel, whole, step if self.on_grids else None, name)

    def _input(self, op: Any, operands: int, tensor: Tensor) -> Tensor:
        """Whoever reads a gathered tensor reads it on its grid."""
        return self._placed(tensor)

    def _placed(self, tensor: Tensor) -> Tensor:
        if not self.on_grids or tensor.is_quantized or tensor.root.name not in self.rows:
            return tensor
        return self._on_grid(tensor)

    def _on_grid(self, tensor: Tensor) -> Tensor:
        if tensor.quantized is None:
            root = tensor.root
            low, high = (float(end) for end in self.ranges[self.rows[root.name]])
            simulated = root.name in self.simulated
            if not simulated and root.name not in self.left_float:
                self.left_float.append(root.name)
            grid = tensor_grid(low, high, self.quant if simulated else None)
            layer = OnGrid(grid, self._layer_name(f"{tensor.name}.grid"))
            made = self._tensor(layer(tensor.value), tensor.name)
            made.producer, made.root, made.is_quantized = tensor.producer, root, True
            tensor.quantized = made
        return tensor.quantized


class OnGrid(keras.layers.Layer):
    """Puts its input on a grid, in the form that the converter reads."""

    def __init__(self, grid: Grid, name: str) -> None:
        super().__init__(name=name)
        self.grid = grid

    def call(self, x: Any) -> Any:
        """X has any shape, float32."""
        low, high = self.grid.ends
        return tf.quantization.fake_quant_with_min_max_args(x, low, high, num_bits=8)


class BakedConvolution(keras.layers.Layer):
    """A convolution or dense layer with constant, folded weights.

    With a step the kernel's codes are those trained on it; a channel whose codes do not fit into
    -127 .. 127 gets the smallest scale on which they do, but a lone -128 is cut to -127. A dense
    kernel has one scale, which is the smallest too where folding gave its channels different steps.
    """

    def __init__(
        self, layer: Any, kernel: Array, whole: Affine, step: float | None, name: str
    ) -> None:
        """`kernel` is not folded yet; `step` None leaves it float."""
        super().__init__(name=name)
        self.layer = layer
        self.bias = whole.bias
        self.kernel = kernel * whole.factor
        # The converter transposes a dense kernel, which it cannot do with a scale for each channel.
        self.per_channel = self.kernel.ndim > 2
        if step and not self.per_channel and np.ptp(np.abs(whole.factor)) > 0:
            step = 0.0
        self.ends = None if step is None else _ends(self.kernel, step * np.abs(whole.factor))

    def call(self, x: Any) -> Any:
        """X as the layer takes it."""
        kernel = tf.constant(self.kernel)
        if self.ends is not None and self.per_channel:
            kernel = tf.quantization.fake_quant_with_min_max_vars_per_channel(
                kernel, -self.ends, self.ends, num_bits=8, narrow_range=True
            )
        elif self.ends is not None:
            end = float(self.ends.max())
            kernel = tf.quantization.fake_quant_with_min_max_args(
                kernel, -end, end, num_bits=8, narrow_range=True
            )
        mapping = [(kernels(self.layer)[0], kernel)]
        own = getattr(self.layer, "bias", None)
        if own is not None:
            mapping.append((own, tf.constant(self.bias)))
        with keras.StatelessScope(state_mapping=mapping):
            y = self.layer.call(x)
        return y if own is not None or not self.bias.any() else y + tf.constant(self.bias)


def _ends(kernel: Array, steps: Any) -> Array:
    """The largest value of each channel's symmetric narrow grid."""
    largest = np.abs(kernel).reshape(-1, kernel.shape[-1]).max(axis=0)
    fits = largest <= steps * (HIGHEST + 1.5)
    scales = np.where(fits, steps, largest / HIGHEST)
    # A channel of zeros has any scale, but its bias is stored in steps of it.
    ends: Array = np.where(scales > 0, scales * HIGHEST, 1.0).astype(np.float32)
    return ends
