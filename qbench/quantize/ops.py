"""The fake-quantization ops that a configuration can choose.

Each op is a pure function `(x, low, high) -> x_hat` with x of any shape, float32, and scalar
float32 ends of the range; x_hat has x's shape. With `per_channel` x is (n, channels) and the ends
are (channels,). `narrow` leaves out the lowest code. With n bits:

| op         | scale                                        | zero point | rounding   | clamps |
|------------|----------------------------------------------|------------|------------|--------|
| qdq_v2     | the smaller of q_min / low and q_max / high  | none       | selectable | (1)    |
| fake_quant | (high - low) / (2^n - 1), range holds 0 (2)  | yes        | half up    | always |

qdq_v2's codes are -2^(n-1) .. 2^(n-1) - 1 (signed) or 0 .. 2^n - 1 (unsigned); a side of the range
whose sign does not match its code's does not count for the scale. (1) It clamps only where the
range is given; without one it measures x itself and lets every value through, so unsigned codes do
not cut negative values off. (2) A range that does not hold 0 is widened until it does.

Sources: the kernels of TensorFlow's ops QuantizeAndDequantizeV2 and FakeQuantWithMinMaxVars, which
do the work here; Kwasniewska et al. 2019, section III-C, whose equations 3 and 4 (rounding) are not
what these ops do.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from qbench.base.registry import Registry

ROUNDINGS = {"half_to_even": "HALF_TO_EVEN", "half_up": "HALF_UP"}


@dataclass(frozen=True)
class Op:
    """A fake-quantization op and what can be set about it.

    Attributes:
        label: the op's name in tables, as in the paper.
        graph_ops: TensorFlow's op types, by which a traced graph is searched.
        settings: keys under `quant` that the op has; it always has bits.
        max_bits: (signed, unsigned) largest number of bits.
        min_bits: smallest number of bits.
        own_range: measures its input itself when no range is given.
        takes_own_range: (bits, signed) -> whether, given exactly that range, it computes the same
            bit for bit, so that a range measured already need not be measured again.
        lacks: for messages, why a setting is missing.
        apply: the function described in this module's docstring.
    """

    label: str
    graph_ops: tuple[str, ...]
    settings: frozenset[str]
    min_bits: int
    max_bits: tuple[int, int]
    own_range: bool
    takes_own_range: Callable[[int, bool], bool]
    lacks: dict[str, str]
    apply: Callable[..., Any]

    def bits_allowed(self, signed: bool) -> tuple[int, int]:
        """Smallest and largest number of bits, both included."""
        return self.min_bits, self.max_bits[0 if signed else 1]


OPS: Registry[Op] = Registry("quant.op")


def _qdq_v2(
    x: Any,
    low: Any,
    high: Any,
    *,
    bits: int,
    signed: bool,
    rounding: str,
    range_given: bool,
    narrow: bool = False,
    per_channel: bool = False,
    name: str | None = None,
) -> Any:
    """QuantizeAndDequantizeV2 with its straight-through gradient (all ones, clipped nowhere).

    The raw op, because the Python helper `quantize_and_dequantize_v2` emits V4, whose gradient is
    cut outside [low, high] even where no range is given.
    """
    import tensorflow as tf

    return tf.raw_ops.QuantizeAndDequantizeV2(
        input=x,
        input_min=low,
        input_max=high,
        signed_input=signed,
        num_bits=bits,
        range_given=range_given,
        round_mode=ROUNDINGS[rounding],
        narrow_range=narrow,
        axis=1 if per_channel else -1,
        name=name,
    )


def _fake_quant(
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

    The range is widened to hold 0, as TensorFlow 1's training rewriter did, and no gradient goes
    into it.
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


OPS.add(
    "qdq_v2",
    Op(
        label="QDQv2",
        graph_ops=("QuantizeAndDequantizeV2",),
        settings=frozenset({"rounding", "signed", "range_given"}),
        min_bits=1,
        max_bits=(61, 62),
        own_range=True,
        # Beyond 16 bits a scaled value's own last place counts, which the clamp may move; one bit
        # has no positive code, so that the clamp would cut positive values off.
        takes_own_range=lambda bits, signed: signed and 2 <= bits <= 16,
        lacks={},
        apply=_qdq_v2,
    ),
)
OPS.add(
    "fake_quant",
    Op(
        label="FakeQuant",
        graph_ops=("FakeQuantWithMinMaxVars", "FakeQuantWithMinMaxVarsPerChannel"),
        settings=frozenset(),
        min_bits=2,
        max_bits=(16, 16),
        own_range=False,
        takes_own_range=lambda bits, signed: False,
        lacks={
            "rounding": "it always rounds half up",
            "signed": "its codes are unsigned, with a zero point",
            "range_given": "it always needs a range",
        },
        apply=_fake_quant,
    ),
)
