"""A trained network as a float graph whose every tensor lies on the grid of an int8 file.

TensorFlow's converter reads the grids from FakeQuant ops. Batch normalization is folded into the
kernels first; kernels get one scale a channel, so that the trained grid, times the channel's
factor, is a grid of the file's (Jacob et al. 2018, section 3; LiteRT wants kernels symmetric,
without the lowest code).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import keras
import tensorflow as tf

from qbench.base.errors import QbenchError
from qbench.deploy.baking import Baked, bake
from qbench.deploy.grids import Grid, tensor_grid
from qbench.deploy.simulation import Simulation
from qbench.quantize.folding import foldable
from qbench.quantize.placement import is_convolution, kernels
from qbench.quantize.ranges import RangeAverages
from qbench.quantize.rewrite import Rewriter
from qbench.quantize.settings import Quant
from qbench.quantize.tensors import Reader, Tensor
from qbench.quantize.walk import functional

CONVERTIBLE = (keras.layers.Conv2D, keras.layers.Dense, keras.layers.DepthwiseConv2D)


def export_model(
    model: Any,
    averages: RangeAverages,
    quant: Quant,
    on_grids: bool = True,
    all_of_8_bits: bool = False,
) -> tuple[Any, list[str]]:
    """The Keras model to convert, and what only the file quantizes.

    Args:
        model: the trained float model.
        averages: its range averages.
        quant: how the run was quantized.
        on_grids: put kernels and every gathered tensor on the grids of an int8 file. Otherwise
            kernels have the values they had in the simulation, and all else is float.
        all_of_8_bits: tensors of fewer bits are put on grids of 8 over the same ranges.

    Returns:
        The model, and the names of tensors (and `kernels`) that the simulation left float and the
        model does not.

    Raises:
        QbenchError: a layer of the model cannot be converted.
    """
    model = functional(model)
    exporter = _Exporter(model, averages, quant, on_grids, all_of_8_bits)
    return exporter.export(model), exporter.left_float


class _Exporter(Rewriter):
    """Rewrites with constants in the place of variables, and every gathered tensor on a grid."""

    def __init__(
        self, model: Any, averages: RangeAverages, quant: Quant, on_grids: bool, of_8_bits: bool
    ) -> None:
        super().__init__(None, averages)
        self.all_of_8_bits = of_8_bits
        self.on_grids = on_grids
        self.simulation = Simulation(model, averages, quant)
        self.left_float: list[str] = []

    def export(self, model: Any) -> Any:
        """The model to convert."""
        clone = self._walk(model)
        (output,) = clone.outputs
        tensor = self._placed(self._tensor(output))
        return keras.Model(clone.inputs, tensor.value, name=model.name)

    def _foldings(self, model: Any) -> dict[str, Any]:
        return foldable(model)

    def _apply(self, op: Any, *args: Any, **kwargs: Any) -> Any:
        if is_convolution(op):
            return self._baked(op)(*args, **kwargs)
        if isinstance(op, keras.Layer):
            return op(*args, **kwargs)
        scoped = Scoped(op, args, kwargs)
        return scoped(scoped.tensors)

    def _baked(self, op: Any) -> Any:
        if not isinstance(op, CONVERTIBLE):
            raise QbenchError(f"{op.name}: a {type(op).__name__} cannot be converted yet.")
        quantizer = self.simulation.kernel_quantizer(op.name)
        if quantizer is None and self.on_grids:
            whole = not self.simulation.quantizes_kernels
            self._is_left_float("kernels" if whole else f"{op.name} kernel")
        folded = self.simulation.folds(op.name)
        weights = bake(op, self.folds.get(op.name), quantizer, folded)
        return BakedConvolution(op, weights, self.on_grids, self._layer_name(f"{op.name}.baked"))

    def _is_left_float(self, name: str) -> None:
        if name not in self.left_float:
            self.left_float.append(name)

    def _input(self, reader: Reader, tensor: Tensor) -> Tensor:
        """Whoever reads a gathered tensor reads it on its grid."""
        return self._placed(tensor)

    def _placed(self, tensor: Tensor) -> Tensor:
        if not self.on_grids or tensor.is_quantized or tensor.root.name not in self.rows:
            return tensor
        if tensor.quantized is None:
            grid = self._grid(tensor.root.name)
            layer = OnGrid(grid, self._layer_name(f"{tensor.name}.grid"))
            made = self._tensor(layer(tensor.value), tensor.name)
            made.producer, made.root, made.is_quantized = tensor.producer, tensor.root, True
            tensor.quantized = made
        return tensor.quantized

    def _grid(self, name: str) -> Grid:
        quantizer = self.simulation.quantizer_of(name)
        if quantizer is None:
            self._is_left_float(name)
        ends = self.simulation.range_of(name)
        return tensor_grid(*ends, None if self.all_of_8_bits else quantizer)


class Scoped(keras.layers.Layer):
    """An operation under its own name, so that what it makes is found in the file.

    Attributes:
        tensors: what it is to be called with; all else is an argument of the operation.
    """

    def __init__(self, operation: Any, args: Any, kwargs: Any) -> None:
        super().__init__(name=operation.name)
        self.operation = operation
        leaves = keras.tree.flatten((args, kwargs))
        self.tensors = [leaf for leaf in leaves if keras.utils.is_keras_tensor(leaf)]
        self._arguments = _Held((args, kwargs))

    def call(self, tensors: list[Any]) -> Any:
        """The tensors in their order."""
        given = iter(tensors)

        def in_place_of(leaf: Any) -> Any:
            return next(given) if keras.utils.is_keras_tensor(leaf) else leaf

        args, kwargs = keras.tree.map_structure(in_place_of, self._arguments.value)
        return self.operation(*args, **kwargs)


@dataclass(frozen=True)
class _Held:
    """Something that Keras is not to look into when it tracks a layer's attributes."""

    value: Any


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
    """A convolution or dense layer with constant, folded weights."""

    def __init__(self, layer: Any, baked: Baked, on_grid: bool, name: str) -> None:
        """With `on_grid` the kernel is put on the int8 grid that `baked` names."""
        super().__init__(name=name)
        self.layer = layer
        self.baked = baked
        self.on_grid = on_grid

    def call(self, x: Any) -> Any:
        """X as the layer takes it."""
        kernel, bias = tf.constant(self.baked.kernel), self.baked.bias
        if self.on_grid:
            kernel = self._quantized(kernel)
        mapping = [(kernels(self.layer)[0], kernel)]
        own = getattr(self.layer, "bias", None)
        if own is not None:
            mapping.append((own, tf.constant(bias)))
        with keras.StatelessScope(state_mapping=mapping):
            y = self.layer.call(x)
        return y if own is not None or not bias.any() else y + tf.constant(bias)

    def _quantized(self, kernel: Any) -> Any:
        ends = self.baked.ends
        if ends.ndim == 0:
            end = float(ends)
            return tf.quantization.fake_quant_with_min_max_args(
                kernel, -end, end, num_bits=8, narrow_range=True
            )
        # A depthwise kernel is (height, width, inputs, multiplier); the op takes channels last.
        *outer, channels = kernel.shape
        columns = kernel if len(ends) == channels else tf.reshape(kernel, (*outer[:2], len(ends)))
        columns = tf.quantization.fake_quant_with_min_max_vars_per_channel(
            columns, -ends, ends, num_bits=8, narrow_range=True
        )
        return tf.reshape(columns, kernel.shape)
