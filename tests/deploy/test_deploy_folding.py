"""Batch normalization folded into the convolution before it."""

from __future__ import annotations

import gc
import weakref

import keras
import numpy as np
import pytest
from deploy_examples import images, measured, network, quant
from keras import layers

from qbench.deploy.export import export_model
from qbench.quantize.folding import foldable


def names(build):
    return {conv: norm.name for conv, norm in foldable(network(build)).items()}


def test_each_convolution_takes_up_its_own_normalization():
    def build(image):
        x = layers.Conv2D(2, 1, name="a")(image)
        x = layers.ReLU()(layers.BatchNormalization(name="a_bn")(x))
        return layers.BatchNormalization(name="b_bn")(layers.Conv2D(2, 1, name="b")(x))

    assert names(build) == {"a": "a_bn", "b": "b_bn"}


def activated(image):
    x = layers.Conv2D(2, 1, activation="relu", name="a")(image)
    return layers.BatchNormalization(name="bn")(x)


def read_twice(image):
    x = layers.Conv2D(2, 1, name="a")(image)
    return layers.Add()([layers.BatchNormalization(name="bn")(x), x])


def also_the_output(image):
    x = layers.Conv2D(2, 1, name="a")(image)
    return layers.Concatenate()([layers.BatchNormalization()(layers.ReLU()(x)), layers.ReLU()(x)])


def over_another_axis(image):
    return layers.BatchNormalization(axis=1, name="bn")(layers.Conv2D(2, 1, name="a")(image))


def a_shared_normalization(image):
    norm = layers.BatchNormalization(name="bn")
    return norm(layers.ReLU()(norm(layers.Conv2D(2, 1, name="a")(image))))


def a_shared_convolution(image):
    conv = layers.Conv2D(2, 1, name="a")
    return layers.Add()([layers.BatchNormalization()(conv(image)), conv(conv(image))])


UNFOLDED = [activated, read_twice, also_the_output, over_another_axis]
UNFOLDED += [a_shared_normalization, a_shared_convolution]


@pytest.mark.parametrize("build", UNFOLDED)
def test_what_cannot_be_folded_is_left(build):
    assert names(build) == {}


def without_gamma(image):
    x = layers.Conv2D(3, 3, name="a")(image)
    return layers.BatchNormalization(scale=False)(x)


def without_beta(image):
    return layers.BatchNormalization(center=False)(layers.Conv2D(3, 3, use_bias=False)(image))


def dense(image):
    x = layers.Dense(4, use_bias=False)(layers.Flatten()(image))
    return layers.Dense(3)(layers.ReLU()(layers.BatchNormalization()(x)))


@pytest.mark.parametrize(
    "build", [None, without_gamma, without_beta, dense, activated, read_twice, also_the_output]
)
def test_the_folded_model_computes_what_the_model_does(build):
    model = network() if build is None else network(build)
    folded, left_float = export_model(model, measured(model), quant(enabled=False), False)
    expected = model(images(), training=False)
    np.testing.assert_allclose(folded([images()]), expected, rtol=2e-4, atol=2e-4)
    assert left_float == []


def test_folding_leaves_the_model_alone():
    model = network()
    before = [np.array(weight) for weight in model.get_weights()]
    export_model(model, measured(model), quant())
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    assert isinstance(model.get_layer("stem_bn"), keras.layers.BatchNormalization)


def test_a_network_does_not_hold_what_was_exported_of_it():
    """A worker exports one network for many runs."""
    model = network()
    graph, _ = export_model(model, measured(model), quant())
    held = [weakref.ref(layer) for layer in graph.layers if layer not in model.layers]
    assert len(held) > 4
    del graph
    gc.collect()
    assert not any(layer() for layer in held)
