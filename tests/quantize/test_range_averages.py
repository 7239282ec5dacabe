from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
from quantize_networks import PLACEMENTS, averages_of, images, network, quantized, residual
from quantize_reference import debiased_average

from qbench.quantize.ranges import RangeAverages, minimum_and_maximum
from qbench.quantize.rewrite import rewrite

DECAYS = [0.0, 0.1, 0.9, 0.999, 0.99999]
STEPS = 200


def measurements(seed=0, tensors=3):
    random = np.random.default_rng(seed)
    drift = np.linspace(1, 3, STEPS)[:, np.newaxis, np.newaxis]
    return (random.normal([-2, 5], 1, (STEPS, tensors, 2)) * drift).astype(np.float32)


def holding_zero(measured):
    """Ranges (..., 2) widened to hold 0, as TensorFlow 1 widens them before it averages."""
    return np.stack([np.minimum(measured[..., 0], 0), np.maximum(measured[..., 1], 0)], -1)


@pytest.mark.parametrize("decay", DECAYS)
def test_equals_zero_debiased_average(decay):
    averages = RangeAverages(["a", "b", "c"], decay)
    measured = measurements()
    kept = []
    for one in measured:
        averages.include(tf.constant(one))
        kept.append(averages.averages.numpy())
    # 200 float32 updates of values up to 20: a few units in the last place of the largest.
    expected = debiased_average(holding_zero(measured), decay)
    np.testing.assert_allclose(kept, expected, rtol=0, atol=2e-5)
    assert float(averages.count.numpy()) == STEPS


@pytest.mark.parametrize("decay", DECAYS)
def test_first_measurement_is_the_average(decay):
    averages = RangeAverages(["a", "b", "c"], decay)
    first = holding_zero(measurements(1)[0])
    averages.include(tf.constant(first))
    # Its weight (1 - d) / (1 - d^1) is 1 but for the last place of float32.
    np.testing.assert_allclose(averages.averages.numpy(), first, rtol=2.4e-7)


def test_without_decay_the_last_measurement_is_the_average():
    averages = RangeAverages(["a", "b", "c"], 0.0)
    for one in measurements(2)[:5]:
        averages.include(tf.constant(one))
        np.testing.assert_allclose(averages.averages.numpy(), holding_zero(one), rtol=0, atol=2e-6)


def test_second_measurement_worked_out_by_hand():
    # Decay 0.5: (0.25 x 4 + 0.5 x 10) / (1 - 0.25) = 8
    averages = RangeAverages(["a"], 0.5)
    averages.include(tf.constant([[-4.0, 4.0]]))
    averages.include(tf.constant([[-10.0, 10.0]]))
    np.testing.assert_allclose(averages.averages.numpy(), [[-8, 8]], rtol=1e-6)


def test_a_range_is_widened_to_hold_zero_before_it_is_averaged():
    # TensorFlow 1.13.1's MovingAvgQuantize gives -0.5; averaging first would give 0.0005.
    averages = RangeAverages(["low", "high"], 0.999)
    for k in range(20):
        averages.include(
            tf.constant([[-1.0 if k % 2 == 0 else 1.0, 2.0], [-2.0, -3.0 + k % 2 * 4]])
        )
    np.testing.assert_allclose(averages.averages.numpy(), [[-0.5, 2], [-2, 0.5]], atol=6e-4)


@pytest.mark.parametrize("decay", DECAYS)
def test_after_equals_what_include_stores(decay):
    averages = RangeAverages(["a", "b", "c"], decay)
    for one in measurements(3)[:20]:
        ahead = [averages.after(row, *tf.constant(one[row])).numpy() for row in range(3)]
        before = averages.averages.numpy()
        averages.include(tf.constant(one))
        np.testing.assert_array_equal(averages.averages.numpy(), ahead)
        assert not np.array_equal(before, ahead)
        for row in range(3):
            np.testing.assert_array_equal(averages.stored(row).numpy(), ahead[row])


def test_nothing_here_is_trainable_and_all_of_it_is_saved():
    averages = RangeAverages(["a", "b"], 0.9)
    assert [v.shape for v in averages.variables] == [(2, 2), ()]
    assert averages.variables == [averages.averages, averages.count]
    assert not any(v.trainable for v in averages.variables)


def test_minimum_and_maximum():
    x = tf.constant([[3.0, -1.0], [0.5, 2.0]])
    with tf.GradientTape() as tape:
        tape.watch(x)
        measured = minimum_and_maximum(x)
    np.testing.assert_array_equal(measured, [-1, 3])
    assert tape.gradient(measured, x) is None


@pytest.mark.parametrize("op", ["qdq_v2", "fake_quant"])
@pytest.mark.parametrize("given", [False, True], ids=["measured", "given"])
@pytest.mark.parametrize("placement", PLACEMENTS, ids="+".join)
def test_views_gather_the_same_tensors(placement, given, op):
    model = network(residual)
    float_view = rewrite(model, None)
    view = quantized(model, placement, op=op, range_given=given)
    assert float_view.tensors == ("image", "relu_a", "bn_b", "relu_c", "conv_d", "logits")
    assert view.tensors == float_view.tensors
    assert view.model.outputs[1].shape == (6, 2)


def test_gathered_ranges_are_those_of_the_named_tensors():
    model = network(residual)
    x = images()
    names = ["relu_a", "bn_b", "relu_c", "conv_d", "logits"]
    tensors = [x, *keras.Model(model.inputs, [model.get_layer(n).output for n in names])([x])]
    expected = [[t.numpy().min(), t.numpy().max()] for t in tensors]
    measured = rewrite(model, None).model([x])[1]
    np.testing.assert_allclose(measured, expected, rtol=1e-5, atol=1e-6)


def test_ranges_are_measured_before_quantization():
    # With 4 bits relu_a's own values are measured, not those of its quantized self.
    model = network(residual)
    x = images()
    float_ranges = rewrite(model, None).model([x])[1].numpy()
    view = quantized(model, ("activation",), averages_of(model), bits=4)
    ranges = view.model([x])[1].numpy()
    np.testing.assert_allclose(ranges[:2], float_ranges[:2], rtol=1e-6)
    assert not np.allclose(ranges[2:], float_ranges[2:], rtol=1e-3)
