"""Layers told their phase when the network was built, or by their class."""

from __future__ import annotations

import inspect

import numpy as np
import pytest
import tensorflow as tf
from keras import layers, ops
from quantize_networks import averages_of, images, network, output
from rewrite_examples import SCHEMES, view_of

from qbench.quantize.folding import foldable
from qbench.quantize.rewrite import rewrite


def normalized(training, shape=(8, 8, 2), dense=False):
    """A network whose normalization is told its phase; it is fused where it reads images."""

    def build(image):
        x = layers.Dense(3)(image) if dense else layers.Conv2D(3, 3)(image)
        x = layers.BatchNormalization(momentum=0.5, name="norm")(x, training=training)
        return layers.Dense(2)(layers.Flatten()(layers.ReLU()(x)))

    model = network(build, shape)
    norm = model.get_layer("norm")
    norm.moving_mean.assign([0.3, -0.2, 0.1])
    norm.moving_variance.assign([2.0, 0.5, 1.5])
    return model


NORMS = {"images": ((8, 8, 2), False), "sequences": ((8, 2), True), "vectors": ((2,), True)}


@pytest.mark.parametrize("chosen", SCHEMES.values(), ids=SCHEMES.keys())
@pytest.mark.parametrize(("shape", "dense"), NORMS.values(), ids=NORMS.keys())
def test_a_normalization_told_to_infer_does_so_in_training(chosen, shape, dense):
    model, x = normalized(False, shape, dense), images(shape=shape) * 3 + 1
    averages = averages_of(model)
    averages.include(rewrite(model, None).model([x])[1])
    view = rewrite(model, chosen, averages)
    before = [v.numpy() for v in model.non_trainable_variables]
    with tf.GradientTape() as tape:
        trained = view.model([x], training=True)[0]
    gradients = tape.gradient(trained, model.trainable_variables)
    assert all(gradient is not None for gradient in gradients)
    for variable, value in zip(model.non_trainable_variables, before, strict=True):
        np.testing.assert_array_equal(variable.numpy(), value)
    if chosen is None:
        np.testing.assert_allclose(trained, model(x), rtol=1e-5, atol=1e-5)
        np.testing.assert_allclose(trained, output(view, x), rtol=1e-5, atol=1e-5)
    # One that is not told would have moved its statistics, unless all of them are frozen.
    other = normalized(None, shape, dense)
    rewrite(other, chosen, averages_of(other)).model([x], training=True)
    moved = not np.array_equal(other.get_layer("norm").moving_mean.numpy(), [0.3, -0.2, 0.1])
    moved = moved and not np.allclose(other.get_layer("norm").moving_mean.numpy(), before[0])
    assert moved == (chosen is None or not chosen.freeze)


def test_a_folded_normalization_told_to_infer_stays_folded():
    model = normalized(False)
    view = view_of(model, SCHEMES["deploy"])
    assert any(type(layer).__name__ == "WithFoldedKernel" for layer in view.model.layers)


@pytest.mark.parametrize("options", [{}, {"training": False}], ids=["unsaid", "infer"])
def test_augmentation_works_in_training_unless_it_is_told_to_infer(options):
    """The default of its `call` is to train, and is no reason to refuse it."""
    model = network(lambda image: layers.Flatten()(layers.RandomFlip()(image, **options)))
    for chosen in (None, SCHEMES["default"]):
        view, x = view_of(model, chosen), images(32)
        same = np.allclose(output(view, x, True), output(view, x), atol=1e-6)
        assert same == bool(options)


@pytest.mark.parametrize("options", [{}, {"training": False}], ids=["unsaid", "infer"])
def test_dropout_drops_in_training_and_not_in_inference(options):
    """That it is told the default of its `call` cannot be seen: Keras notes it in either case."""
    model = network(lambda image: layers.Flatten()(layers.Dropout(0.5)(image, **options)))
    for chosen in (None, SCHEMES["default"]):
        view, x = view_of(model, chosen), images()
        assert 0.3 < np.mean(output(view, x, True) == 0) < 0.7
        np.testing.assert_allclose(output(view, x), model(x, training=False), atol=0.01)


@pytest.mark.parametrize("phase", [False, None], ids=["infer", "unsaid"])
def test_a_convolution_is_quantized_whatever_phase_it_is_told(phase):
    def build(image):
        x = layers.Conv2D(3, 3, name="a")(image, training=phase)
        return layers.Dense(2, name="d")(layers.Flatten()(x), training=phase)

    view = view_of(network(build), SCHEMES["default"])
    kernels = [insertion.tensor for insertion in view.insertions if insertion.is_kernel]
    assert kernels == ["a kernel", "d kernel"]
    assert output(view, images(), True).shape == (4, 2)


class AlwaysInfers(layers.BatchNormalization):
    """As in many a published network: frozen by its class."""

    def call(self, inputs, training=None, mask=None):
        return super().call(inputs, training=False, mask=mask)


class Standardized(layers.Conv2D):
    """Convolves with a kernel whose mean is 0."""

    def call(self, inputs):
        kernel = self.kernel - ops.mean(self.kernel, axis=(0, 1, 2))
        return ops.conv(inputs, kernel, 1, "valid")


VARIANTS = {
    "own_norm": (layers.Conv2D, AlwaysInfers, {}),
    "own_convolution": (Standardized, layers.BatchNormalization, {}),
    "renorm": (layers.Conv2D, layers.BatchNormalization, {"renorm": True}),
}


@pytest.mark.parametrize("chosen", [None, SCHEMES["deploy"]], ids=["float", "deploy"])
@pytest.mark.parametrize(
    ("convolution", "norm", "settings"), VARIANTS.values(), ids=VARIANTS.keys()
)
def test_what_computes_something_else_is_neither_fused_nor_folded(
    convolution, norm, settings, chosen
):
    if not settings.keys() <= inspect.signature(norm.__init__).parameters.keys():
        pytest.skip("this Keras has no such normalization")

    def build(image):
        x = convolution(3, 3, use_bias=False)(image)
        return layers.Dense(2)(layers.Flatten()(norm(momentum=0.5, name="norm", **settings)(x)))

    model, x = network(build), images() * 2 + 1
    assert foldable(model) == {}
    view = view_of(model, chosen)
    kinds = {type(layer).__name__ for layer in view.model.layers}
    assert "WithFoldedKernel" not in kinds
    assert ("FusedBatchNormalization" in kinds) == (norm is not AlwaysInfers and not settings)
    if chosen is None:
        np.testing.assert_allclose(output(view, x), model(x), rtol=1e-4, atol=1e-5)
        before = model.get_weights()
        expected = model(x, training=True).numpy()
        model.set_weights(before)
        np.testing.assert_allclose(output(view, x, True), expected, rtol=1e-3, atol=1e-4)
