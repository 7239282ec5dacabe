"""One fake-quantization op with all its settings, ready to be applied to tensors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from qbench.base.errors import QbenchError
from qbench.quantize.interface import TensorQuantizing
from qbench.quantize.ops import OPS, Op, OpGrid

OWN = "measured by the op"
CURRENT = "current minimum and maximum"
MOVING = "moving average"
FIXED = "moving average in the place of the range that the op measures"


@dataclass(frozen=True)
class Quantizer(TensorQuantizing):
    """An op, its number of bits and settings, and where its range comes from.

    Attributes:
        op: name in `qbench.quantize.ops.OPS`.
        bits: number of bits of the codes.
        signed: whether codes are signed; an op without this setting ignores it.
        rounding: the rule for ties; an op without this setting ignores it.
        source: OWN, CURRENT, MOVING or FIXED.
    """

    op: str
    bits: int
    signed: bool
    rounding: str
    source: str

    def __call__(self, x: Any, low: Any, high: Any, **options: Any) -> Any:
        """Quantize and dequantize x (any shape, float32); low and high are scalars.

        With source OWN the op ignores both ends. Options are `narrow`, `per_channel` (see
        `qbench.quantize.ops.Op`) and the op's `name`.
        """
        fixed = self._op.apply_fixed if self.source == FIXED else None
        return self._computed(fixed or self._op.apply, x, low, high, self.source != OWN, options)

    def with_fixed_range(self) -> Quantizer:
        """The same quantizer, with a moving average in place of a range that the op measures."""
        return replace(self, source=FIXED if self.source == OWN else MOVING)

    @property
    def bits_allowed(self) -> tuple[int, int]:
        """Smallest and largest number of bits of the op, both included."""
        return self._op.bits_allowed(self.signed)

    @property
    def graph_ops(self) -> tuple[str, ...]:
        """TensorFlow's op types of the op."""
        return self._op.graph_ops

    @property
    def takes_own_range(self) -> bool:
        """Whether the op computes the same bits if `given` gets exactly the range of x."""
        return self._op.takes_own_range(self.bits, self.signed)

    def given(self, x: Any, low: Any, high: Any, **options: Any) -> Any:
        """Like a call, but with these ends for every source."""
        return self._computed(self._op.apply, x, low, high, True, options)

    @property
    def has_grid(self) -> bool:
        """Whether its values lie on grids of equal steps, which `grid` returns."""
        return self._op.grid is not None

    def grid(self, low: float, high: float, narrow: bool = False) -> OpGrid:
        """The grid of the quantized values of a tensor with this range.

        Args:
            low: the smaller end.
            high: the larger end.
            narrow: whether the lowest code is left out.

        Raises:
            QbenchError: the op has no grid.
        """
        given = self.source not in (OWN, FIXED)
        settings = {"bits": self.bits, "signed": self.signed, "range_given": given}
        return self.require_grid()(low, high, narrow=narrow, **settings)

    def require_grid(self) -> Callable[..., OpGrid]:
        """The function `Op.grid` of the op.

        Raises:
            QbenchError: the op has no grid.
        """
        if self._op.grid is None:
            raise QbenchError(
                f"quant.op={self.op}: its values lie on no grid of equal steps; no integer file"
                " and no packed form can be made of them."
            )
        return self._op.grid

    @property
    def _op(self) -> Op:
        return OPS[self.op]

    def _computed(
        self, apply: Any, x: Any, low: Any, high: Any, range_given: bool, options: dict[str, Any]
    ) -> Any:
        settings = {"bits": self.bits, "signed": self.signed, "rounding": self.rounding}
        return apply(x, low, high, range_given=range_given, **settings, **options)
