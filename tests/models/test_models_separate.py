"""Activations inside layers become layers of their own where a file computes them apart."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers

from qbench.base.authored import author_model
from qbench.models.registry import MODELS, build_model
from qbench.models.separate import separated
from qbench.quantize.tensors import graph_of
from qbench.tasks.classification import Classification

SHAPE = (6, 6, 3)


def gated(shape, classes):
    """A sigmoid inside a dense layer, a SiLU inside a convolution that is called twice, a ReLU."""
    image = keras.Input(shape)
    shared = layers.Conv2D(4, 3, padding="same", activation="silu", name="shared")
    x = shared(layers.Conv2D(4, 1, activation="relu", name="plain")(image))
    gate = layers.Dense(4, activation="sigmoid", name="gate")(layers.GlobalAveragePooling2D()(x))
    x = layers.BatchNormalization(name="norm")(shared(x), training=False)
    x = x * layers.Reshape((1, 1, 4))(gate)
    return keras.Model(image, layers.Dense(classes, name="logits")(layers.Flatten()(x)))


@pytest.fixture(scope="module")
def made():
    keras.utils.set_random_seed(7)
    model = gated(SHAPE, 5)
    x = np.random.default_rng(1).normal(size=(4, *SHAPE)).astype(np.float32)
    before = np.asarray(model(x))
    return model, separated(model), x, before


def test_it_computes_the_same_bits(made):
    _, network, x, before = made
    np.testing.assert_array_equal(network(x), before)


def test_activations_have_the_names_of_their_layers(made):
    model, network, _, _ = made
    names = [op.name for op in network.operations]
    assert names.index("gate.sigmoid") == names.index("gate") + 1
    assert "shared.silu" in names and "plain.relu" not in names and "logits.linear" not in names
    for name in ("gate", "shared", "plain", "logits"):
        assert network.get_layer(name) is model.get_layer(name)
    assert network.get_layer("gate").activation is keras.activations.linear
    assert network.get_layer("plain").activation is keras.activations.relu
    assert len(network.get_layer("shared.silu")._inbound_nodes) == 2


def test_arguments_of_calls_stay(made):
    calls = {call.op.name: call for call in graph_of(made[1]).calls}
    assert calls["norm"].is_in_inference and not calls["gate"].is_in_inference


def test_the_author_s_model_owns_the_weights(made):
    model, network, _, _ = made
    assert author_model(network) is model
    assert [id(one) for one in network.weights] == [id(one) for one in model.weights]


class OwnDense(layers.Dense):
    """Its call may use the activation in any way."""


@pytest.mark.parametrize("activation", ["relu", "relu6", "linear", "selu", "softmax", lambda x: x])
def test_other_activations_stay_inside(activation):
    image = keras.Input((4,))
    model = keras.Model(image, layers.Dense(3, activation=activation)(image))
    assert separated(model) is model


def test_layers_of_somebody_s_own_stay_whole():
    image = keras.Input((4,))
    model = keras.Model(image, OwnDense(3, activation="sigmoid")(image))
    assert separated(model) is model


def test_a_name_that_is_taken_gets_a_number():
    image = keras.Input((4,))
    x = layers.Dense(3, activation="tanh", name="a")(image)
    model = keras.Model(image, layers.Dense(2, name="a.tanh")(x))
    assert [op.name for op in separated(model).operations][1:] == ["a", "a.tanh.2", "a.tanh"]


def test_built_networks_are_separated():
    with MODELS.lent("gated", gated):
        network = build_model("gated", {}, SHAPE, Classification(5))
    assert "gate.sigmoid" in [op.name for op in network.operations]
