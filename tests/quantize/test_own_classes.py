"""Subclasses of Keras' layers compute what they say, whatever stands in their place."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers, ops
from quantize_networks import averages_of, images, network, quantized

from qbench.base.errors import QbenchError
from qbench.quantize.rewrite import rewrite


class Halved(layers.BatchNormalization):
    """Gives half of what its name says."""

    def call(self, inputs, training=None, mask=None):
        return 0.5 * super().call(inputs, training=training, mask=mask)


class Standardized(layers.Conv2D):
    """Runs with a kernel of mean 0 and variance 1, whatever it is multiplied by."""

    def convolution_op(self, inputs, kernel):
        mean, variance = ops.moments(kernel, (0, 1, 2), keepdims=True)
        return super().convolution_op(inputs, (kernel - mean) / ops.sqrt(variance + 1e-3))


class Trained(layers.Dense):
    """Computes something else in training."""

    def call(self, x, training=False):
        return super().call(2 * x if training else x)


def _behind(convolution, norm):
    def build(image):
        x = layers.ReLU()(norm()(convolution()(image)))
        return layers.Dense(3)(layers.Flatten()(x))

    return build


BUILDS = {
    "normalization": _behind(lambda: layers.Conv2D(4, 3), Halved),
    "convolution": _behind(lambda: Standardized(4, 3), layers.BatchNormalization),
    "renormalization": _behind(
        lambda: layers.Conv2D(4, 3), lambda: layers.BatchNormalization(renorm=True)
    ),
    "dense": lambda image: Trained(3)(Trained(8, activation="relu")(layers.Flatten()(image))),
}


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("fold", [True, False])
@pytest.mark.parametrize("build", BUILDS.values(), ids=BUILDS)
def test_a_fine_grid_changes_nothing(build, fold, training):
    model, x = network(build), images(32)
    generator = np.random.default_rng(5)
    for weight in model.weights:  # so that statistics are not as they start
        weight.assign(np.asarray(weight) + generator.uniform(0, 0.3, weight.shape))
    start = model.get_weights()
    averages = averages_of(model)
    views = [quantized(model, averages=averages, bits=30, fold_batch_norm=fold)]
    views.append(rewrite(model, None))
    expected = model(x, training=training).numpy()
    for view in views:
        model.set_weights(start)
        got = view.model([x], training=training)[0].numpy()
        np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-4 * np.abs(expected).max())


class Worn(layers.Dense):
    """Writes its kernel when it is called."""

    def call(self, x):
        self.kernel.assign(0.9 * self.kernel)
        return super().call(x)


def test_a_kernel_that_is_written_cannot_be_quantized():
    model = network(lambda image: Worn(3, name="worn")(layers.Flatten()(image)))
    with pytest.raises(QbenchError, match="worn: the layer assigns its kernel when it is called"):
        quantized(model)


def test_what_a_layer_keeps_beside_its_kernel_is_kept():
    """A count of calls, and the state of a generator that moves on with every draw."""

    class Counting(layers.Dense):
        def build(self, shape):
            super().build(shape)
            self.calls = self.add_weight(shape=(), initializer="zeros", trainable=False)
            self.generator = keras.random.SeedGenerator(3)

        def call(self, x):
            self.calls.assign_add(1.0)
            return super().call(x) + keras.random.normal((3,), seed=self.generator)

    model = network(lambda image: Counting(3)(layers.Flatten()(image)))
    view = quantized(model)
    layer, x = model.layers[-1], images()
    layer.calls.assign(0.0)
    outputs = [view.model([x], training=True)[0].numpy() for _ in range(2)]
    assert float(layer.calls.numpy()) == 2
    assert np.abs(outputs[0] - outputs[1]).max() > 0.1


def test_a_loss_that_a_layer_adds_is_added_once():
    class Costly(layers.Dense):
        def call(self, x):
            self.add_loss(3.0 * ops.mean(ops.abs(self.kernel)))
            return super().call(x)

    def losses(model, count):
        model([images()], training=True)
        assert len(model.losses) == count
        return [float(loss) for loss in model.losses]

    model = network(lambda image: Costly(3)(layers.Flatten()(image)))
    (expected,) = losses(model, 1)
    (got,) = losses(quantized(model, bits=30).model, 1)
    assert got == pytest.approx(expected, rel=1e-5) and got > 0
    plain = network(lambda image: layers.Dense(3)(layers.Flatten()(image)))
    losses(quantized(plain).model, 0)
