"""What XLA makes of the fake-quantization ops; docs/gpu.md says so, and why jit=on evaluates so."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from qbench.quantize.ops import OPS

Ends = tuple[float, float]


def _both(op: str, x: Any, ends: Ends, bits: int = 8, **settings: Any) -> list[Any]:
    """(values of TensorFlow's op, values of XLA's)."""

    def quantized(x: Any, low: Any, high: Any) -> Any:
        return OPS[op].apply(x, low, high, bits=bits, **settings)

    low, high = map(np.float32, ends)
    values = tf.constant(x, tf.float32)
    return [
        tf.function(quantized, jit_compile=jit)(values, low, high).numpy() for jit in (None, True)
    ]


@pytest.mark.parametrize("range_given", [False, True])
@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("rounding", ["half_to_even", "half_up"])
def test_qdq_v2_differs_in_last_bits_alone(range_given: bool, signed: bool, rounding: str) -> None:
    settings = {"range_given": range_given, "signed": signed, "rounding": rounding}
    random = np.random.default_rng(0)
    for _ in range(5):
        low, high = -random.uniform(0, 4), random.uniform(0.1, 4)
        x = [low, high, low - 1, high + 1, *random.uniform(low, high, 200)]
        one, two = _both("qdq_v2", x, (low, high), **settings)
        np.testing.assert_allclose(one, two, rtol=0, atol=1e-4 * (high - low) / 255)


def test_fake_quant_moves_the_ends_of_a_range_by_a_step() -> None:
    """Where 0 would lie halfway between two codes, the two choose different ones."""
    step = 12 / 255
    ends = [np.array(y) / step for y in _both("fake_quant", [-7, 7], (-6, 6))]
    np.testing.assert_allclose(ends[0], [-128, 127], atol=1e-3)
    np.testing.assert_allclose(ends[1], [-127, 128], atol=1e-3)


def test_fake_quant_rounds_other_ties_to_other_codes() -> None:
    ties = (np.arange(255) + 0.5) * 6 / 255
    one, two = _both("fake_quant", ties, (0, 6))
    apart = np.abs(one - two) / (6 / 255)
    assert np.count_nonzero(apart > 0.5) > 50
    assert apart.max() < 1.001


def test_fake_quant_of_zeros_alone_is_no_number_in_xla() -> None:
    one, two = _both("fake_quant", [0, 0, 0], (0, 0))
    np.testing.assert_array_equal(one, 0)
    assert np.all(np.isnan(two))
