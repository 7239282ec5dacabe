from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers
from quantize_networks import (
    averages_of,
    images,
    network,
    output,
    quantized,
    residual,
    scheme,
)
from quantize_reference import fake_grid, ulps

from qbench.quantize.kernels import KernelQuantizer
from qbench.quantize.layers import FakeQuantize, Row, WithQuantizedKernel
from qbench.quantize.quantizer import CURRENT, MOVING, OWN, Quantizer
from qbench.quantize.rewrite import rewrite


def trained_statistics(model):
    """Moving statistics and affine terms as training leaves them, not 0 and 1."""
    random = np.random.default_rng(11)
    for variable in model.variables:
        if variable.name in ("gamma", "moving_variance"):
            variable.assign(random.uniform(0.5, 2, variable.shape))
        elif variable.name in ("beta", "moving_mean", "bias"):
            variable.assign(random.normal(0, 0.3, variable.shape))
    return model


def test_float_view_infers_what_the_model_infers():
    model, x = trained_statistics(network(residual)), images()
    expected = model(x, training=False).numpy()
    np.testing.assert_allclose(output(rewrite(model, None), x), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("given", [False, True], ids=["measured", "given"])
def test_thirty_two_bits_infer_nearly_the_same(given):
    model, x = trained_statistics(network(residual)), images()
    averages = averages_of(model)
    averages.include(rewrite(model, None).model([x])[1])
    view = quantized(model, averages=averages, bits=32, range_given=given)
    expected = model(x, training=False).numpy()
    actual = output(view, x)
    np.testing.assert_allclose(actual, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("op", ["qdq_v2", "fake_quant"])
def test_fewer_bits_infer_worse(op):
    model, x = trained_statistics(network(residual)), images(16)
    averages = averages_of(model)
    averages.include(rewrite(model, None).model([x])[1])
    expected = model(x, training=False).numpy()
    errors = [
        np.abs(output(quantized(model, averages=averages, op=op, bits=bits), x) - expected).max()
        for bits in (4, 8, 16)
    ]
    assert errors[0] > 4 * errors[1] > 16 * errors[2] > 0


def test_quantized_view_worked_through_layer_by_layer():
    def build(image):
        x = layers.ReLU(name="relu")(layers.Conv2D(3, 1, name="first")(image))
        return layers.Conv2D(2, 1, name="second")(x)

    model, x = network(build), images()
    chosen = scheme(("conv", "activation"), weight_bits=3, activation_bits=4)
    first, second = model.get_layer("first"), model.get_layer("second")

    def convolved(x, layer):
        return (
            tf.nn.conv2d(x, chosen.kernel.quantizer(layer.kernel.value, 0.0, 0.0), 1, "SAME")
            + layer.bias
        )

    hidden = chosen.activation(tf.nn.relu(convolved(x, first)), 0.0, 0.0)
    expected = convolved(hidden, second).numpy()
    actual = output(rewrite(model, chosen, averages_of(model)), x)
    np.testing.assert_allclose(actual, expected, rtol=1e-5, atol=1e-6)
    assert not np.allclose(actual, model(x), atol=1e-2)


@pytest.mark.parametrize("op", ["qdq_v2", "fake_quant"])
def test_variables_are_shared(op):
    model = network(residual)
    view = quantized(model, op=op)
    assert {id(v) for v in view.model.variables} == {id(v) for v in model.variables}
    assert {id(v) for v in view.model.trainable_variables} == {
        id(v) for v in model.trainable_variables
    }


@pytest.mark.parametrize("op", ["qdq_v2", "fake_quant"])
def test_a_training_step_on_the_view_changes_the_model(op):
    model, x = network(residual), images()
    averages = averages_of(model)
    averages.include(rewrite(model, None).model([x])[1])
    view = quantized(model, averages=averages, op=op)
    before = model(x, training=False).numpy()
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(view.model([x], training=True)[0] ** 2)
    gradients = tape.gradient(loss, model.trainable_variables)
    assert all(np.any(g.numpy() != 0) for g in gradients[:1] + gradients[-2:])
    assert all(g is not None for g in gradients)
    keras.optimizers.SGD(0.1).apply(gradients, model.trainable_variables)
    after = model(x, training=False).numpy()
    assert not np.allclose(before, after, atol=1e-4)
    np.testing.assert_allclose(output(rewrite(model, None), x), after, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("op", "source"),
    [("qdq_v2", OWN), ("qdq_v2", CURRENT), ("fake_quant", CURRENT)],
    ids=["qdq_measured", "qdq_current", "fake_quant"],
)
def test_gradient_reaches_the_kernel_straight_through(op, source):
    layer, x = layers.Conv2D(3, 3, use_bias=False), images()
    layer.build(x.shape)
    layer.kernel.assign(np.random.default_rng(1).uniform(-1, 1.2, layer.kernel.shape))
    wrapped = WithQuantizedKernel(
        layer, KernelQuantizer(Quantizer(op, 4, True, "half_to_even", source)), "q"
    )
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(wrapped(x) ** 2)
    actual = tape.gradient(loss, layer.kernel.value).numpy()
    kernel = layer.kernel.value
    ends = tf.reduce_min(kernel), tf.reduce_max(kernel)
    used = wrapped.quantizer.quantizer(kernel, *ends)
    with tf.GradientTape() as tape:
        tape.watch(used)
        loss = tf.reduce_sum(tf.nn.conv2d(x, used, 1, "VALID") ** 2)
    expected = tape.gradient(loss, used).numpy()
    if op == "fake_quant":  # none for what was nudged out of the range, up to half a step of 15
        _, low, high = fake_grid(kernel.numpy().min(), kernel.numpy().max(), 4)
        inside = (kernel.numpy() >= low) & (kernel.numpy() <= high)
        assert 0.9 * inside.size < inside.sum() < inside.size
        expected = expected * inside
    np.testing.assert_allclose(actual, expected, rtol=1e-5, atol=1e-5)


def test_moving_average_includes_the_current_batch_in_training_alone():
    model, x = network(lambda image: relu_then_conv(image)), images()
    averages = averages_of(model, decay=0.75)
    averages.include(tf.constant([[-9.0, 9.0], [0.0, 1.0], [-9.0, 9.0]]))
    view = quantized(model, ("activation",), averages, range_given=True, bits=3)
    row = view.tensors.index("relu")
    hidden = keras.Model(model.inputs, model.get_layer("relu").output)([x])
    quantizer = scheme(("activation",), range_given=True, bits=3).activation
    assert quantizer.source == MOVING
    # weights (0.75, 1) / 1.75 of the stored 0 and 1 and of this batch's ends
    now = np.array([0.0, hidden.numpy().max()])
    in_training = (0.75 * np.array([0.0, 1.0]) + now) / 1.75
    for training, (low, high) in ((True, in_training), (False, (0.0, 1.0))):
        codes = quantizer(hidden, np.float32(low), np.float32(high))
        expected = model.get_layer("conv")(codes).numpy()
        np.testing.assert_allclose(output(view, x, training), expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(averages.stored(row), [0, 1])
    assert not np.allclose(output(view, x, True), output(view, x, False), atol=1e-3)


def relu_then_conv(image):
    return layers.Conv2D(2, 1, name="conv")(layers.ReLU(name="relu")(layers.Conv2D(2, 1)(image)))


@pytest.mark.parametrize("training", [True, False], ids=["training", "inference"])
@pytest.mark.parametrize("source", [OWN, CURRENT], ids=["own", "current"])
def test_ranges_of_the_call_need_no_averages(source, training):
    x = images()
    quantizer = Quantizer("qdq_v2", 4, True, "half_to_even", source)
    layer = FakeQuantize(quantizer, None, Row(0, is_root=False), "q")
    expected = layer.quantizer(x, tf.reduce_min(x), tf.reduce_max(x))
    actual = layer(x, tf.constant(-100.0), tf.constant(100.0), training=training)
    np.testing.assert_array_equal(actual, expected)


REQUANTIZED = {"max_pooling": layers.MaxPooling2D(2), "zero_padding": layers.ZeroPadding2D(1)}


@pytest.mark.parametrize("layer", list(REQUANTIZED.values()), ids=list(REQUANTIZED))
@pytest.mark.parametrize("op", ["qdq_v2", "fake_quant"])
def test_again_over_the_same_range_would_change_nothing(layer, op):
    quantizer = Quantizer(op, 4, True, "half_to_even", MOVING)
    once = layer(quantizer(images(), -1.5, 2.0))
    np.testing.assert_array_equal(quantizer(once, -1.5, 2.0), once)


@pytest.mark.parametrize("layer", list(REQUANTIZED.values()), ids=list(REQUANTIZED))
@pytest.mark.parametrize("signed", [True, False], ids=["signed", "unsigned"])
@pytest.mark.parametrize("bits", [4, 8, 16])
def test_again_over_its_own_range_would_change_the_last_place(layer, signed, bits):
    # Of a ReLU output the maximum sets the scale, and it survives pooling and padding; the scale
    # is then computed from q_max x step in place of the maximum, one unit off at most.
    quantizer = Quantizer("qdq_v2", bits, signed, "half_to_even", OWN)
    for seed in range(5):
        once = layer(quantizer(tf.nn.relu(images(seed=seed)), 0.0, 0.0)).numpy()
        assert np.all(ulps(quantizer(once, 0.0, 0.0), once) <= 1)


def test_again_would_change_signed_values_whose_minimum_is_pooled_away():
    # [-10, 5]: step 10/128. Pooling leaves [1.015625, 5], step 5/127: 13 x 10/128 -> 25.8 -> 26.
    quantizer = Quantizer("qdq_v2", 8, True, "half_to_even", OWN)
    once = quantizer(tf.constant([[-10.0, 1.015625], [5.0, 0.0]]), 0.0, 0.0)
    np.testing.assert_array_equal(once, [[-10, 1.015625], [5, 0]])
    pooled = tf.reduce_max(once, axis=1)
    again = quantizer(pooled, 0.0, 0.0).numpy()
    np.testing.assert_allclose(again, [26 * 5 / 127, 5], rtol=1e-6)
    assert np.abs(again - pooled).max() <= 5 / 127 / 2
