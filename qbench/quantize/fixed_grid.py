"""Grids that an integer kernel prescribes for its output, whatever the range of its values is.

LiteRT's int8 kernels of the logistic function, tanh and softmax have one output grid each.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from qbench.quantize.calls import is_stock
from qbench.quantize.interface import LEARNED, TensorQuantizing
from qbench.quantize.kind import FIXED
from qbench.quantize.kinds import kind_of
from qbench.quantize.ops import OpGrid

PRESCRIBED = "prescribed by the kernel"
BITS = 8


@dataclass(frozen=True)
class FixedGrid(TensorQuantizing):
    """An affine grid of 8 bits from `low` to `high`, ends of 256 equal steps that include 0."""

    low: float
    high: float

    op = "fake_quant"
    bits = BITS
    source = PRESCRIBED

    @property
    def graph_ops(self) -> tuple[str, ...]:
        """TensorFlow's op type."""
        return ("FakeQuantWithMinMaxArgs",)

    @property
    def has_grid(self) -> bool:
        """Its values lie on a grid."""
        return True

    @property
    def ends(self) -> tuple[float, float]:
        """The smallest and the largest value."""
        return self.low, self.high

    def with_bits(self, bits: int) -> FixedGrid:
        """The same grid, since the kernel has no other."""
        return self

    def require_grid(self) -> Any:
        """The grid, whatever the range is."""
        scale = (self.high - self.low) / (2**BITS - 1)
        return lambda low, high: OpGrid(scale, round(-self.low / scale), 0, 2**BITS)

    def __call__(self, x: Any, low: Any, high: Any, *, name: str | None = None) -> Any:
        """Quantize x; the range is not used."""
        import tensorflow as tf

        return tf.quantization.fake_quant_with_min_max_args(
            x, self.low, self.high, num_bits=BITS, name=name
        )


# The grid of the logistic function.
LOGISTIC = FixedGrid(0.0, 255 / 256)


def prescribed(producer: Any) -> FixedGrid | None:
    """The grid that the kernel of a layer or operation prescribes for its output, if it does."""
    kind = kind_of(producer)
    if kind is None or kind.grid != FIXED or not is_stock(producer):
        return None
    assert kind.ends is not None
    return FixedGrid(*kind.ends)


def as_prescribed(producer: Any, quantizer: TensorQuantizing) -> TensorQuantizing:
    """The quantizer of a tensor in a simulation of files.

    It is the kernel's own if the kernel prescribes a grid and `quantizer` has the 8 bits of a file.
    A range that training learns stays.
    """
    fixed = prescribed(producer)
    if fixed is None or quantizer.bits != BITS or quantizer.source == LEARNED:
        return quantizer
    return fixed
