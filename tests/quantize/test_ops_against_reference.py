from __future__ import annotations

import numpy as np
import pytest
import quantize_reference as reference
import tensorflow as tf
from quantize_calls import constant, fake_quant, qdq_v2

SHAPES = [(1000,), (17, 31), (3, 3, 16, 8), (4, 8, 8, 5)]
ROUND_MODES = {"half_to_even": "HALF_TO_EVEN", "half_up": "HALF_UP"}


def tensors(seed):
    """Tensors like kernels and like activations, small and large, with ranges to clamp to."""
    random = np.random.default_rng(seed)
    for shape in SHAPES:
        size = float(10 ** random.uniform(-3, 3))
        x = (random.normal(random.uniform(-0.5, 0.5), 1, shape) * size).astype(np.float32)
        if random.random() < 0.3:
            x = np.maximum(x, 0)
        low, high = np.sort(random.normal(0, 1.5, 2) * size).astype(np.float32)
        yield x, low, high


def settings(**kept):
    return [
        pytest.param(dict(zip(kept, values, strict=True)), id="-".join(map(str, values)))
        for values in np.array(np.meshgrid(*kept.values(), indexing="ij"), object)
        .reshape(len(kept), -1)
        .T
    ]


QDQ = settings(
    bits=[2, 3, 4, 5, 8, 11, 16, 24, 32],
    signed=[True, False],
    rounding=["half_to_even", "half_up"],
    range_given=[True, False],
)


@pytest.mark.parametrize("chosen", QDQ)
def test_qdq_v2_equals_reference(chosen):
    # Every operation of the kernel is one float32 operation, so the two agree in every bit.
    compared = 0
    for x, low, high in tensors(seed=chosen["bits"]):
        ends = (low, high) if chosen["range_given"] else (x.min(), x.max())
        if reference.qdq_grid(*ends, chosen["bits"], chosen["signed"]) is None:
            continue
        expected = reference.qdq(x, low, high, **chosen)
        np.testing.assert_array_equal(qdq_v2(x, low, high, **chosen), expected)
        compared += 1
    assert compared > 1


@pytest.mark.parametrize("chosen", QDQ)
def test_qdq_v2_is_tensorflows_op(chosen):
    for x, low, high in tensors(seed=100 + chosen["bits"]):
        raw = tf.raw_ops.QuantizeAndDequantizeV2(
            input=constant(x),
            input_min=constant(low),
            input_max=constant(high),
            signed_input=chosen["signed"],
            num_bits=chosen["bits"],
            range_given=chosen["range_given"],
            round_mode=ROUND_MODES[chosen["rounding"]],
            narrow_range=False,
            axis=-1,
        )
        np.testing.assert_array_equal(qdq_v2(x, low, high, **chosen), raw.numpy())


@pytest.mark.parametrize("bits", [2, 3, 4, 6, 8, 10, 12, 16])
def test_fake_quant_near_reference(bits):
    # The op computes (code - zero point) x step, the formula code x step + nudged minimum: each of
    # the roundings in between costs at most half a unit in the last place of the range's length,
    # together one. Before rounding to a code the two differ by about 2^n x 2^-24 steps, and where
    # a tie lies in between, the result differs by a whole step; values being spread over the
    # steps, that happens to a share of about 2^(n-24), allowed here 4 times.
    # The zero point itself may be a tie that the two round apart; the seeded data hold none.
    total = jumps = 0
    for seed in range(8):
        for x, low, high in tensors(seed=1000 * bits + seed):
            expected = reference.fake(x, low, high, bits=bits)
            actual = fake_quant(x, low, high, bits=bits)
            step, nudged_low, nudged_high = reference.fake_grid(low, high, bits)
            error = np.abs(actual.astype(np.float64) - expected)
            one_ulp = np.spacing(np.float32(nudged_high - nudged_low))
            jumped = error > one_ulp
            np.testing.assert_allclose(error[jumped], step, rtol=1e-2)
            total, jumps = total + x.size, jumps + int(jumped.sum())
    assert jumps <= 4 * 2.0 ** (bits - 24) * total


@pytest.mark.parametrize("bits", [2, 4, 8, 16])
def test_fake_quant_is_tensorflows_op_over_the_widened_range(bits):
    for seed in range(4):
        for x, low, high in tensors(seed=2000 * bits + seed):
            raw = tf.raw_ops.FakeQuantWithMinMaxVars(
                inputs=constant(x),
                min=constant(min(low, 0.0)),
                max=constant(max(high, 0.0)),
                num_bits=bits,
                narrow_range=False,
            )
            np.testing.assert_array_equal(fake_quant(x, low, high, bits=bits), raw.numpy())


def test_half_up_and_half_to_even_differ_at_ties_alone():
    # Random data hold almost no exact ties: at most a few in a million at 8 bits.
    x = np.random.default_rng(5).normal(size=1_000_000).astype(np.float32)
    even, up = qdq_v2(x), qdq_v2(x, rounding="half_up")
    scale, step, *_ = reference.qdq_grid(x.min(), x.max(), 8, True)
    differs = even != up
    assert differs.sum() <= 10
    np.testing.assert_array_equal(np.abs(x[differs] * scale) % 1, 0.5)
    np.testing.assert_allclose(up[differs] - even[differs], step, rtol=1e-4)


@pytest.mark.parametrize(("bits", "most"), [(16, 1e-4), (32, 1e-6)], ids=["16", "32"])
def test_many_bits_change_next_to_nothing(bits, most):
    x = np.random.default_rng(6).normal(size=100_000).astype(np.float32)
    assert 0 < np.abs(qdq_v2(x, bits=bits) - x).max() < most
