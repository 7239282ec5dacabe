"""FakeQuantWithMinMaxVars: affine codes over a range that is always given."""

from __future__ import annotations

from typing import Any

import numpy as np

from qbench.quantize.ops.grid import OpGrid
from qbench.quantize.ops.op import OPS, Op


def apply(
    x: Any,
    low: Any,
    high: Any,
    *,
    bits: int,
    narrow: bool = False,
    per_channel: bool = False,
    name: str | None = None,
    **_absent: Any,
) -> Any:
    """FakeQuantWithMinMaxVars; the gradient is 1 inside the nudged range and 0 outside.

    The range is widened until it includes 0, as in TensorFlow 1's training rewriter. The range gets
    no gradient. Arguments as in `Op.apply`.
    """
    import tensorflow as tf

    op = tf.raw_ops.FakeQuantWithMinMaxVars
    if per_channel:
        op = tf.raw_ops.FakeQuantWithMinMaxVarsPerChannel
    return op(
        inputs=x,
        min=tf.stop_gradient(tf.minimum(low, 0.0)),
        max=tf.stop_gradient(tf.maximum(high, 0.0)),
        num_bits=bits,
        narrow_range=narrow,
        name=name,
    )


def grid(low: float, high: float, *, bits: int, narrow: bool = False, **_absent: Any) -> OpGrid:
    """Affine codes from 0, or from 1 with `narrow`; arguments as in `Op.grid`.

    The range is widened until it includes 0, and then moved so that 0 is a code.
    """
    low, high = min(low, 0.0), max(high, 0.0)
    first, last = int(narrow), 2**bits - 1
    scale, zero_point = (high - low) / (last - first), _zero_point(low, high, first, last)
    return OpGrid(scale, zero_point, first, last - first + 1)


def _zero_point(low: float, high: float, first: int, last: int) -> int:
    """The code of 0, computed in float32 as in the op, because ties differ in float64."""
    step = (np.float32(high) - np.float32(low)) / np.float32(last - first)
    if step <= 0:
        return first
    zero = np.float32(first) - np.float32(low) / step
    return min(max(int(float(zero) + 0.5), first), last)


OPS.add(
    "fake_quant",
    Op(
        label="FakeQuant",
        apply=apply,
        grid=grid,
        min_bits=2,
        max_bits=(16, 16),
        in_units=True,
        lacks={
            "rounding": "it always rounds half up",
            "signed": "its codes are unsigned, with a zero point",
            "range_given": "it always needs a range",
        },
        graph_ops=("FakeQuantWithMinMaxVars", "FakeQuantWithMinMaxVarsPerChannel"),
    ),
)
