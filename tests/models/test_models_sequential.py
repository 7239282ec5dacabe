"""Sequential models, with and without an Input, in everything that a network goes through."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import unusual_networks as unusual
from keras import layers

from qbench.base.errors import QbenchError
from qbench.config.quant import Quant
from qbench.quantize.ranges import RangeAverages
from qbench.quantize.rewrite import rewrite
from qbench.quantize.scheme import scheme_of


def stack(classes):
    return [
        layers.Conv2D(12, 3),
        layers.BatchNormalization(),
        layers.ReLU(),
        layers.MaxPooling2D(2),
        layers.Flatten(),
        layers.Dense(classes),
    ]


def without_input(shape, classes):
    return keras.Sequential(stack(classes))


def built(shape, classes):
    model = keras.Sequential(stack(classes))
    model.build((None, *shape))
    return model


def one_by_one(shape, classes):
    model = keras.Sequential()
    for layer in stack(classes):
        model.add(layer)
    return model


def functional(shape, classes):
    x = image = keras.Input(shape)
    for layer in stack(classes):
        x = layer(x)
    return keras.Model(image, x)


KINDS = [unusual.sequential, without_input, built, one_by_one]
pytestmark = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)


@pytest.mark.parametrize("side", [8, 12])
def test_it_is_built_on_the_images(kind, side, build):
    model = build(kind, shape=(side, side, 1))
    assert model.input.shape == (None, side, side, 1)
    assert model.output.shape == (None, 10)
    assert [layer.name for layer in model.layers[1:]] == [
        *("conv2d", "batch_normalization", "re_lu", "max_pooling2d", "flatten", "dense")
    ]


@pytest.mark.parametrize(
    "quant",
    [Quant(), Quant(placement=("deploy",), range_given=True, fold_batch_norm=True)],
    ids=["default", "deploy"],
)
def test_it_is_quantized_as_the_same_functional_network(kind, quant, build):
    found = []
    for builder in (kind, functional):
        model = build(builder)
        averages = RangeAverages(rewrite(model, None).tensors, 0.9)
        view = rewrite(model, scheme_of(quant), averages)
        found.append((view.tensors, view.insertions))
    assert found[0] == found[1]


def test_the_float_view_computes_what_the_model_does(kind, build):
    model = build(kind)
    random = np.random.default_rng(0)
    model.set_weights([random.uniform(0.2, 1.0, w.shape) for w in model.get_weights()])
    images = random.normal(size=(4, 8, 8, 1)).astype(np.float32)
    own = kind((8, 8, 1), 10)
    own.build((None, 8, 8, 1))
    own.set_weights(model.get_weights())
    actual = rewrite(model, None).model([images], training=False)[0]
    np.testing.assert_allclose(actual, own(images, training=False), rtol=1e-5, atol=1e-5)


def test_saved_weights_load_into_the_users_own_model(kind, build, tmp_path):
    model = build(kind)
    random = np.random.default_rng(0)
    model.set_weights([random.normal(size=w.shape) for w in model.get_weights()])
    model.save_weights(tmp_path / "model.weights.h5")
    own = kind((8, 8, 1), 10)
    if not own.built:
        own.build((None, 8, 8, 1))
    own.load_weights(tmp_path / "model.weights.h5")
    for expected, actual in zip(model.get_weights(), own.get_weights(), strict=True):
        np.testing.assert_array_equal(actual, expected)


class Shapeless(layers.Layer):
    """Says nothing of its output's shape, and cannot be asked for it."""

    def call(self, x):
        raise NotImplementedError


def test_what_cannot_be_built_is_refused(kind, build):
    def wrong_rank(shape, classes):
        return keras.Sequential([layers.Flatten(), *kind(shape, classes).layers])

    def no_shape(shape, classes):
        return keras.Sequential([Shapeless(), *stack(classes)])

    with pytest.raises(QbenchError, match=r"^model=mine cannot be used on images of .*ndim=2"):
        build(wrong_rank)
    with pytest.raises(QbenchError, match="does not say what shape its output has"):
        build(no_shape)
    with pytest.raises(QbenchError, match="has no layers"):
        build(lambda shape, classes: keras.Sequential())


def test_an_input_of_another_shape_is_refused(kind, build):
    with pytest.raises(QbenchError, match=r"\(None, 9, 9, 1\), the images have \(None, 8, 8, 1\)"):
        build(lambda shape, classes: _on(kind((9, 9, 1), classes), (9, 9, 1)))


def _on(model, shape):
    if not model.built:
        model.build((None, *shape))
    return model
