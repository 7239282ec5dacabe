"""The beginning of a network: layers that rescale the image, and the grid of raw pixels.

Rescaling and Normalization at the beginning of a network prepare its image, as `data.preprocessing`
does. So the tensor behind them counts as the image: it is quantized as the image, and an integer
file begins with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from qbench.base.errors import QbenchError
from qbench.quantize.interface import TensorQuantizing
from qbench.quantize.ops import OpGrid

PIXELS = "the pixels themselves"
CODES = 256
# The largest distance of a zero point from a whole number, in codes: rounding errors of float32.
_WHOLE = 1e-3


def is_rescaling(op: Any) -> bool:
    """Whether a layer multiplies and shifts each value by itself, with constants."""
    import keras

    from qbench.quantize.calls import is_stock

    return isinstance(op, keras.layers.Rescaling | keras.layers.Normalization) and is_stock(op)


def rescaled(layers: Sequence[Any], image: Any) -> Any:
    """An image (N, H, W, C) float32 after these layers."""
    for layer in layers:
        image = layer(image)
    return image


@dataclass(frozen=True)
class PixelQuantizer(TensorQuantizing):
    """The grid of raw pixels: its codes are the pixels 0 to 255 of the image.

    A pixel p has the value scale * (p - zero). Values of whole pixels are on the grid, so that
    quantization changes only their last bits.

    Attributes:
        key: the setting that asks for this grid, for messages.
        scale: the value of one code.
        zero: the pixel whose value is 0; a whole number in a network.
    """

    key: str = field(compare=False)
    scale: float = 1.0
    zero: float = 0.0

    op = "pixels"
    bits = 8
    source = PIXELS

    @property
    def graph_ops(self) -> tuple[str, ...]:
        """TensorFlow's op type."""
        return ("FakeQuantWithMinMaxArgs",)

    @property
    def has_grid(self) -> bool:
        """Its values lie on a grid."""
        return True

    def with_bits(self, bits: int) -> PixelQuantizer:
        """The same grid: pixels have eight bits."""
        return self

    def require_grid(self) -> Any:
        """The grid, whatever the range is."""
        return lambda low, high: OpGrid(self.scale, round(self.zero), 0, CODES)

    @property
    def ends(self) -> tuple[float, float]:
        """The values of the pixels 0 and 255."""
        return -self.scale * self.zero, self.scale * (CODES - 1 - self.zero)

    def __call__(self, x: Any, low: Any, high: Any, *, name: str | None = None) -> Any:
        """Quantize x; the range is not used."""
        import tensorflow as tf

        first, last = self.ends
        return tf.quantization.fake_quant_with_min_max_args(
            x, first, last, CODES.bit_length() - 1, name=name
        )

    def behind(self, layers: Sequence[Any]) -> PixelQuantizer:
        """The grid of the tensor behind layers that rescale the image.

        Raises:
            QbenchError: the layers leave no grid with one scale and a whole zero point.
        """
        scale, zero = self.scale, self.zero
        for layer in layers:
            factor, offset = _affine(layer)
            if not factor > 0 or not np.isfinite(offset):
                raise QbenchError(
                    f"{self.key}: the layer {layer.name} rescales channels with different numbers"
                    " or turns them round; raw pixels need one positive factor and one offset."
                )
            scale, zero = scale * factor, zero - offset / (scale * factor)
        whole = round(zero)
        if abs(zero - whole) > _WHOLE or not 0 <= whole < CODES:
            raise QbenchError(
                f"{self.key}: behind the layer {layers[-1].name} the value 0 is that of the pixel"
                f" {zero:.6g}; raw pixels need a whole number from 0 to 255, as with"
                " Rescaling(1 / 255)."
            )
        return PixelQuantizer(self.key, scale, float(whole))


def _affine(layer: Any) -> tuple[float, float]:
    """Factor and offset of a layer; nan if channels or pixels have different ones."""
    import keras

    if isinstance(layer, keras.layers.Rescaling):
        factor, offset = (np.asarray(one, np.float64) for one in (layer.scale, layer.offset))
    else:
        shape = (1, *layer.input.shape[1:])
        zeros, ones = (np.asarray(layer(np.full(shape, x, np.float32))) for x in (0.0, 1.0))
        factor, offset = (one.astype(np.float64) for one in (ones - zeros, zeros))
    alike = np.ptp(factor) == 0 and np.ptp(offset) == 0
    return (float(np.ravel(factor)[0]), float(np.ravel(offset)[0])) if alike else (np.nan, np.nan)
