"""QuantizeAndDequantizeV2: codes without a zero point, over a given range or a measured one."""

from __future__ import annotations

from typing import Any

from qbench.quantize.ops.grid import OpGrid
from qbench.quantize.ops.op import OPS, Chosen, Op

_ROUNDINGS = {"half_to_even": "HALF_TO_EVEN", "half_up": "HALF_UP"}


def apply(
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
    """QuantizeAndDequantizeV2 with its straight-through gradient, which is 1 everywhere.

    This is the raw op. The Python helper `quantize_and_dequantize_v2` emits V4, whose gradient is 0
    outside [low, high] even if no range is given. Arguments as in `Op.apply`.
    """
    import tensorflow as tf

    return tf.raw_ops.QuantizeAndDequantizeV2(
        input=x,
        input_min=low,
        input_max=high,
        signed_input=signed,
        num_bits=bits,
        range_given=range_given,
        round_mode=_ROUNDINGS[rounding],
        narrow_range=narrow,
        axis=1 if per_channel else -1,
        name=name,
    )


def apply_fixed(
    x: Any,
    low: Any,
    high: Any,
    *,
    bits: int,
    signed: bool,
    rounding: str,
    name: str | None = None,
    **_given: Any,
) -> Any:
    """The values that the op gives when it measures the range, clamped to these ends.

    With unsigned codes, negative values are not cut off but rounded with the same scale. If a range
    has no positive values, the op has no scale for it, and its values do not change. Arguments as
    in `Op.apply`.
    """
    import tensorflow as tf

    if signed:
        return apply(
            x,
            low,
            high,
            bits=bits,
            signed=True,
            rounding=rounding,
            range_given=True,
            name=name,
        )
    high = tf.maximum(high, 0.0)
    inside = tf.clip_by_value(x, tf.minimum(low, 0.0), high)
    # To the last bit as in the op's own kernel: values times a scale, then codes times a step.
    codes = tf.constant(2.0**bits - 1, tf.float32)
    scaled = inside * tf.math.divide_no_nan(codes, high)
    rounded = tf.round(scaled) if rounding == "half_to_even" else tf.floor(scaled + 0.5)
    return tf.where(high > 0, rounded * (high / codes), inside)


def grid(
    low: float, high: float, *, bits: int, signed: bool, range_given: bool, narrow: bool = False
) -> OpGrid:
    """Codes around 0, or from 0 on if unsigned; arguments as in `Op.grid`.

    The side of 0 that needs the larger scale sets it. The scale is 0 if no side has codes.
    """
    if not signed:
        return OpGrid(max(high, 0.0) / (2**bits - 1), 0, 0, 2**bits, range_given)
    lowest, highest = narrow - 2 ** (bits - 1), 2 ** (bits - 1) - 1
    above = max(high, 0.0) / highest if highest else 0.0
    scale = max(max(-low, 0.0) / -lowest, above)
    return OpGrid(scale, 0, lowest, highest - lowest + 1, range_given)


def _refuses(quant: Chosen) -> str | None:
    """The two cases in which kernels cannot have unsigned codes; see the messages."""
    if quant.signed:
        return None
    if quant.weight_range == "narrow":
        return (
            "quant.weight_range=narrow: needs quant.signed=true with qdq_v2, whose unsigned codes"
            " have no lowest one to leave out."
        )
    if quant.weight_range == "op" and quant.granularity == "channel":
        return (
            "quant.granularity=channel: needs quant.signed=true or"
            " quant.weight_range=symmetric_narrow with qdq_v2, which has no unsigned codes for a"
            " channel without positive values and makes infinities of them."
        )
    return None


def _infinities(quant: Chosen) -> str | None:
    """The tensors for which the op has no step: all their values have a sign without a code."""
    if quant.signed:
        if min(quant.bits_of_weights, quant.bits_of_activations) > 1:
            return None
        return (
            "one signed bit has no positive code, and qdq_v2 makes infinities of a tensor without"
            " negative values; take quant.signed=false or 2 bits."
        )
    if quant.range_given:
        return None
    return (
        "unsigned codes have no step for a tensor without positive values, and qdq_v2 makes"
        " infinities of one where it measures the range; take quant.signed=true or"
        " quant.range_given=true."
    )


def _takes_own_range(bits: int, signed: bool) -> bool:
    """Whether the clamp to the measured range changes nothing.

    Above 16 bits the last place of a scaled value matters, and the clamp may change it. One bit has
    no positive code, so the clamp would cut positive values off.
    """
    return signed and 2 <= bits <= 16


OPS.add(
    "qdq_v2",
    Op(
        label="QDQv2",
        apply=apply,
        grid=grid,
        min_bits=1,
        max_bits=(61, 62),
        settings=frozenset({"rounding", "signed", "range_given"}),
        roundings=tuple(_ROUNDINGS),
        own_range=True,
        takes_own_range=_takes_own_range,
        apply_fixed=apply_fixed,
        in_units=True,
        refuses=_refuses,
        infinities=_infinities,
        graph_ops=("QuantizeAndDequantizeV2",),
    ),
)
