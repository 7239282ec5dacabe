from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from keras import layers
from quantize_networks import graph_of, images, network, op_types
from quantize_reference import batch_norm

from qbench.quantize.layers import FusedBatchNormalization
from qbench.quantize.rewrite import rewrite

GAMMA, BETA = [1.5, 0.5], [0.25, -2.0]
MEAN, VARIANCE = [0.3, -0.4], [0.7, 2.0]


def filled(**settings):
    layer = layers.BatchNormalization(momentum=0.8, epsilon=1e-3, **settings)
    layer.build((None, 8, 8, 2))
    layer.set_weights([np.array(values, np.float32) for values in (GAMMA, BETA, MEAN, VARIANCE)])
    return layer


def test_training_output_and_moving_statistics():
    layer, x = filled(), images(count=3) * 2 + 1
    actual = FusedBatchNormalization(layer, "fused")(x, training=True)
    expected, mean, corrected = batch_norm(x, GAMMA, BETA, 1e-3)
    np.testing.assert_allclose(actual, expected, rtol=1e-4, atol=1e-5)
    moved = np.multiply(MEAN, 0.8) + 0.2 * mean
    np.testing.assert_allclose(layer.moving_mean.numpy(), moved, rtol=1e-5)
    moved = np.multiply(VARIANCE, 0.8) + 0.2 * corrected
    np.testing.assert_allclose(layer.moving_variance.numpy(), moved, rtol=1e-5)
    # Without the correction it would be off by the 192th part: the tolerance tells them apart.
    count = 3 * 8 * 8
    biased = np.multiply(VARIANCE, 0.8) + 0.2 * corrected * (count - 1) / count
    assert not np.allclose(layer.moving_variance.numpy(), biased, rtol=1e-4)


def test_inference_is_that_of_keras_and_moves_nothing():
    layer, x = filled(), images()
    actual = FusedBatchNormalization(layer, "fused")(x, training=False)
    np.testing.assert_allclose(actual, layer(x, training=False), rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(layer.moving_mean.numpy(), np.float32(MEAN))
    np.testing.assert_array_equal(layer.moving_variance.numpy(), np.float32(VARIANCE))


def test_a_frozen_layer_infers_in_training():
    layer, x = filled(), images()
    layer.trainable = False
    actual = FusedBatchNormalization(layer, "fused")(x, training=True)
    np.testing.assert_allclose(actual, layer(x, training=False), rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(layer.moving_mean.numpy(), np.float32(MEAN))


def test_training_gradients_are_those_of_keras():
    x, weights = images(), images(seed=9)
    found = []
    for fused in (True, False):
        layer = filled()
        call = FusedBatchNormalization(layer, "fused") if fused else layer
        with tf.GradientTape() as tape:
            tape.watch(x)
            total = tf.reduce_sum(call(x, training=True) * weights)
        found.append(tape.gradient(total, [x, layer.gamma.value, layer.beta.value]))
    for fused, plain in zip(*found, strict=True):
        np.testing.assert_allclose(fused, plain, rtol=1e-3, atol=1e-4)
    assert np.abs(found[0][0]).max() > 0.1


@pytest.mark.parametrize(
    ("settings", "shape", "fused"),
    [
        ({}, (8, 8, 2), True),
        ({"axis": 3}, (8, 8, 2), True),
        ({"axis": 1}, (8, 8, 2), False),
        ({"scale": False}, (8, 8, 2), False),
        ({"center": False}, (8, 8, 2), False),
        ({}, (8,), False),
        ({}, (8, 2), False),
    ],
    ids=["default", "axis_3", "axis_1", "no_gamma", "no_beta", "vector", "sequence"],
)
def test_what_is_fused(settings, shape, fused):
    def build(image):
        return layers.BatchNormalization(**settings)(layers.Dense(2)(image))

    model = network(build, shape)
    view = rewrite(model, None)
    types = op_types(graph_of(view, shape, training=True))
    assert types["FusedBatchNormV3"] == int(fused)
    x = images(shape=shape)
    actual = view.model([x], training=False)[0]
    np.testing.assert_allclose(actual, model(x, training=False), rtol=1e-5, atol=1e-6)


def test_batch_normalization_without_a_gamma_still_updates_through_the_view():
    model = network(lambda image: layers.BatchNormalization(scale=False, momentum=0.5)(image))
    x = images()
    rewrite(model, None).model([x], training=True)
    mean = x.numpy().mean((0, 1, 2))
    moving = next(v for v in model.variables if v.name == "moving_mean")
    np.testing.assert_allclose(moving.numpy(), 0.5 * mean, rtol=1e-4, atol=1e-6)
