"""Batch normalization folded into the kernels that are quantized."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers
from quantize_networks import averages_of, graph_of, images, network, op_types, quantized

from qbench.quantize.rewrite import rewrite

FINE = {"bits": 16, "weight_range": "symmetric_narrow"}  # hardly quantizes at all


def stack(image, layer):
    x = layer(image)
    x = layers.BatchNormalization(momentum=0.8, name="bn")(x)
    return layers.Dense(3)(layers.Flatten()(layers.ReLU()(x)))


BUILDS = {
    "conv": lambda image: stack(image, layers.Conv2D(4, 3, use_bias=False)),
    "conv with bias": lambda image: stack(image, layers.Conv2D(4, 3, strides=2)),
    "depthwise": lambda image: stack(image, layers.DepthwiseConv2D(3, depth_multiplier=2)),
    "dense": lambda image: stack(layers.Flatten()(image), layers.Dense(4)),
    "no gamma": lambda image: layers.Dense(3)(
        layers.Flatten()(layers.BatchNormalization(scale=False)(layers.Conv2D(4, 3)(image)))
    ),
    "no beta": lambda image: layers.Dense(3)(
        layers.Flatten()(
            layers.BatchNormalization(center=False)(layers.Conv2D(4, 3, use_bias=False)(image))
        )
    ),
}
EACH = pytest.mark.parametrize("build", BUILDS.values(), ids=BUILDS)


def trained(build):
    """A network whose normalization is not as it started."""
    model = network(build)
    generator = np.random.default_rng(5)
    for weight in model.weights:
        weight.assign(np.asarray(weight) + np.abs(generator.normal(0, 0.3, weight.shape)))
    return model


def gradients(view, model, x):
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(tf.square(view.model([x], training=True)[0]))
    found = tape.gradient(total, model.trainable_variables)
    # None of a bias that normalization cancels.
    return total, [np.zeros(v.shape) if g is None else g.numpy() for g, v in _pairs(found, model)]


def _pairs(found, model):
    return zip(found, model.trainable_variables, strict=True)


@EACH
def test_a_fine_grid_changes_neither_training_nor_its_gradients(build):
    """Against the float view, whose batch normalization is TensorFlow's own op."""
    x = images(32)
    model = trained(build)
    averages = averages_of(model)
    start = model.get_weights()
    view = quantized(model, ("conv",), averages, fold_batch_norm=True, **FINE)
    total, grads = gradients(view, model, x)
    moved = model.get_weights()
    model.set_weights(start)
    plain_total, plain_grads = gradients(rewrite(model, None), model, x)
    np.testing.assert_allclose(total, plain_total, rtol=2e-3)
    largest = max(np.abs(grad).max() for grad in plain_grads)
    for one, other, variable in zip(grads, plain_grads, model.trainable_variables, strict=True):
        size = max(np.abs(other).max(), 1e-4 * largest)  # less is rounding
        np.testing.assert_allclose(one, other, atol=0.01 * size, err_msg=variable.path)
    for one, other in zip(moved, model.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)
    assert any(np.abs(a - b).max() > 1e-3 for a, b in zip(start, moved, strict=True))


@EACH
def test_inference_has_one_quantized_kernel(build):
    """What is computed is (Q(w gamma / sigma) * x) + beta - mean gamma / sigma."""
    model, x = trained(build), images()
    coarse = {"bits": 4, "weight_range": "symmetric_narrow"}
    view = quantized(model, ("conv",), fold_batch_norm=True, activation_bits=16, **coarse)
    plain = model(x, training=False).numpy()
    got = view.model([x], training=False)[0].numpy()
    assert 1e-3 < np.abs(got - plain).mean() / np.abs(plain).mean() < 0.5
    graph = graph_of(view)
    assert op_types(graph)["FusedBatchNormV3"] == 0
    first = next(layer for layer in model.layers if layer.weights)
    with_folding = [one for one in view.insertions if one.tensor == f"{first.name} kernel"]
    assert len(with_folding) == 1


@EACH
def test_frozen_training_computes_what_inference_does(build):
    model, x = trained(build), images()
    start = model.get_weights()
    view = quantized(
        model, ("conv",), fold_batch_norm=True, freeze_batch_norm=True, op="qdq_v2", bits=4
    )
    training = view.model([x], training=True)[0].numpy()
    np.testing.assert_allclose(training, view.model([x], training=False)[0], rtol=1e-5, atol=1e-5)
    for one, other in zip(start, model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("axis", [-1, 2])
def test_freezing_without_folding(axis):
    """Of fused normalization and of one that the fused op cannot do."""

    def build(image):
        x = layers.BatchNormalization(axis=axis)(layers.Conv2D(4, 3)(image))
        return layers.Dense(3)(layers.Flatten()(x))

    model, x = trained(build), images()
    start = model.get_weights()
    view = quantized(model, ("conv",), freeze_batch_norm=True, op="qdq_v2", bits=8)
    training = view.model([x], training=True)[0].numpy()
    np.testing.assert_allclose(training, view.model([x], training=False)[0], rtol=1e-5, atol=1e-5)
    for one, other in zip(start, model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_gradients_reach_gamma_beta_and_the_kernel_when_frozen():
    model = trained(BUILDS["conv"])
    view = quantized(model, ("conv",), fold_batch_norm=True, freeze_batch_norm=True, bits=8)
    _, grads = gradients(view, model, images())
    for variable, grad in zip(model.trainable_variables, grads, strict=True):
        assert grad is not None and np.abs(grad).max() > 0, variable.path


def test_what_cannot_be_folded_stays_normalized():
    """A normalization behind an activation, and one behind a convolution that others read."""

    def build(image):
        x = layers.Conv2D(4, 3, activation="relu", padding="same")(image)
        x = layers.BatchNormalization(name="behind")(x)
        y = layers.Conv2D(4, 1, name="read_twice")(x)
        z = layers.BatchNormalization(name="one_of_two")(y)
        return layers.Dense(3)(layers.Flatten()(layers.Add()([y, z])))

    model = trained(build)
    view = quantized(model, ("conv",), fold_batch_norm=True, **FINE)
    assert op_types(graph_of(view))["FusedBatchNormV3"] == 2
    plain = model(images(), training=False)
    np.testing.assert_allclose(
        view.model([images()], training=False)[0], plain, rtol=0.02, atol=0.02
    )


def test_folding_leaves_the_gathered_tensors_as_they_are():
    model = trained(lambda image: keras.layers.Dense(2)(layers.Flatten()(stack2(image))))
    view = quantized(model, ("conv",), fold_batch_norm=True, **FINE)
    assert view.tensors == rewrite(model, None).tensors
    expected = rewrite(model, None).model([images()], training=False)[1]
    np.testing.assert_allclose(view.model([images()], training=False)[1], expected, atol=0.01)


def stack2(image):
    x = layers.ReLU()(layers.BatchNormalization()(layers.Conv2D(4, 3, padding="same")(image)))
    y = layers.BatchNormalization()(layers.Conv2D(4, 3, padding="same")(x))
    return layers.ReLU()(layers.Add()([x, y]))


def test_statistics_of_a_normalization_that_is_not_trained_stay():
    model, x = trained(BUILDS["conv"]), images()
    model.get_layer("bn").trainable = False
    start = model.get_weights()
    view = quantized(model, ("conv",), fold_batch_norm=True, **FINE)
    training = view.model([x], training=True)[0].numpy()
    np.testing.assert_allclose(training, model(x, training=True), rtol=0.02, atol=0.02)
    for one, other in zip(start, model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("freeze", [False, True])
def test_a_penalty_reads_the_convolution_before_it_is_normalized(freeze):
    def build(image):
        x = layers.Conv2D(4, 3, activity_regularizer=keras.regularizers.L2(0.1))(image)
        return layers.Dense(3)(layers.Flatten()(layers.BatchNormalization()(x)))

    model, x = trained(build), images()
    view = quantized(model, ("conv",), fold_batch_norm=True, freeze_batch_norm=freeze, **FINE)
    found = []
    for one, given in ((model, x), (view.model, [x])):
        one(given, training=True)
        (loss,) = one.losses
        found.append(float(loss))
    assert found[1] == pytest.approx(found[0], rel=1e-5) and found[0] > 0.1


def test_the_variance_of_two_values():
    """The fused op corrects it by 2, which is taken back for the step and of vectors for good."""
    model = network(BUILDS["dense"])
    view = quantized(model, ("conv",), fold_batch_norm=True, **FINE)
    x, norm = images(2), model.get_layer("bn")
    norm.moving_variance.assign(np.zeros(4))
    expected = model(x, training=True).numpy()
    variance = norm.moving_variance.numpy()
    norm.moving_variance.assign(np.zeros(4))
    np.testing.assert_allclose(view.model([x], training=True)[0], expected, rtol=0.01, atol=0.01)
    np.testing.assert_allclose(norm.moving_variance, variance, rtol=1e-4)
    assert variance.min() > 0
