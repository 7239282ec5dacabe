"""Activations inside layers become layers of their own where a file computes them apart."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers
from quantize_networks import averages_of, scheme

from qbench.base.authored import author_model
from qbench.models.fitting import own_layers
from qbench.models.registry import MODELS, build_model
from qbench.models.separate import separated
from qbench.quantize.rewrite import rewrite
from qbench.quantize.tensors import graph_of
from qbench.storage.weights import _Memory, weights_file
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


def separable(image):
    """Two separable convolutions, one of them frozen, penalized and called twice."""
    two = layers.SeparableConv2D(
        *(3, 3),
        padding="same",
        activation="sigmoid",
        depthwise_regularizer="l2",
        pointwise_constraint="non_neg",
        activity_regularizer="l1",
        name="two",
    )
    x = two(two(image))
    x = layers.Reshape((18, 6))(x)
    one = layers.SeparableConv1D(
        *(4, 3), 2, depth_multiplier=2, use_bias=False, activation="relu", name="one"
    )
    x = one(x)
    one.trainable = False
    return layers.Dense(2, name="logits")(layers.Flatten()(x))


@pytest.fixture(scope="module")
def parted():
    keras.utils.set_random_seed(7)
    image = keras.Input(SHAPE)
    model = keras.Model(image, separable(image))
    x = np.random.default_rng(1).normal(size=(4, *SHAPE)).astype(np.float32)
    before = np.asarray(model(x)), float(sum(model.losses))
    return model, separated(model), x, before


def test_a_separable_convolution_becomes_two_layers(parted):
    model, network, x, (before, loss) = parted
    names = [op.name for op in network.operations]
    assert names[1:4] == ["two.depthwise", "two.pointwise", "two.sigmoid"]
    assert not {"one", "two"} & set(names)
    np.testing.assert_array_equal(network(x), before)
    assert len(network.get_layer("two.depthwise")._inbound_nodes) == 2
    assert network.get_layer("one.pointwise").activation is keras.activations.relu
    two = model.get_layer("two")
    assert two.activation is keras.activations.sigmoid
    assert network.get_layer("two.depthwise").kernel is two.depthwise_kernel
    assert network.get_layer("two.pointwise").kernel is two.pointwise_kernel
    assert network.get_layer("two.pointwise").bias is two.bias
    assert loss == float(sum(network.losses)) > 0


def test_the_author_s_model_has_all_variables_of_the_parts(parted):
    model, network, _, _ = parted
    assert author_model(network) is model
    for kind in ("weights", "trainable_variables"):
        ours, theirs = getattr(network, kind), getattr(model, kind)
        assert {id(one) for one in ours} == {id(one) for one in theirs}, kind
        assert len(ours) == len(theirs), kind
    assert [one.name for one in network.trainable_variables] == [
        *("depthwise_kernel", "pointwise_kernel", "bias", "kernel", "bias")
    ]
    assert not network.get_layer("one.depthwise").trainable
    assert list(own_layers(network)) == ["two", "one", "logits"]


def test_weights_files_have_the_layers_of_the_author(parted):
    model, network, x, (before, _) = parted
    content = weights_file(network)
    other = keras.models.clone_model(model)
    other.load_weights(_Memory(content))
    np.testing.assert_array_equal(other(x), before)


def test_gradients_reach_the_author_s_variables(parted):
    model, network, x, _ = parted
    gradients = []
    for one in (model, network):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(one(x) ** 2) + sum(one.losses)
        gradients.append(tape.gradient(loss, [v.value for v in model.trainable_variables]))
    for theirs, ours in zip(*gradients, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)


def joining(image):
    """Layers that compute with three tensors or more; two of them are called twice."""
    x, y, z = (layers.Conv2D(4, k, padding="same")(image) for k in (1, 2, 3))
    total, mean = layers.Add(name="total"), layers.Average(name="mean")
    x = total([total([x, y, z]), y, z])
    x = mean([mean([x, y, z, x]), y, z])
    x = layers.Multiply(name="product")([x, y, z, x])
    x = layers.Maximum(name="most")([x, y, layers.Minimum(name="least")([z, x, y])])
    return layers.Flatten()(layers.Add(name="two")([x, y]))


def test_layers_of_three_tensors_and_more_compute_with_two_at_a_time():
    keras.utils.set_random_seed(7)
    image = keras.Input(SHAPE)
    model = keras.Model(image, joining(image))
    network = separated(model)
    x = np.random.default_rng(1).normal(size=(4, *SHAPE)).astype(np.float32)
    np.testing.assert_array_equal(network(x), np.asarray(model(x)))
    calls = {call.makes[0].name: call for call in graph_of(network).calls}
    assert max(len(call.reads) for call in calls.values()) == 2
    expected = {
        *("total.part1", "total", "total.part1.2", "total.2"),
        *("mean.part1", "mean.part2", "mean.part3", "mean", "mean.2"),
        *("product.part1", "product.part2", "product"),
        *("least.part1", "least", "most.part1", "most", "two"),
    }
    assert expected < calls.keys()
    assert not {"most.part2", "two.part1", "mean.part4"} & calls.keys()
    assert network.get_layer("total") is model.get_layer("total")
    assert network.get_layer("two") is model.get_layer("two")
    assert author_model(network) is model


def test_joins_that_are_more_than_steps_of_two_stay_whole():
    image = keras.Input(SHAPE)
    average = layers.Average(activity_regularizer="l1")([image, image, image])
    pooled = layers.GlobalAveragePooling2D()(image)
    other = layers.Add()([average, pooled, pooled])  # Keras gives them one rank first
    model = keras.Model(image, other)
    assert separated(model) is model


class OwnDense(layers.Dense):
    """Its call may use the activation in any way."""


@pytest.mark.parametrize("activation", ["relu", "relu6", "linear", "selu", lambda x: x])
def test_other_activations_stay_inside(activation):
    image = keras.Input((4,))
    model = keras.Model(image, layers.Dense(3, activation=activation)(image))
    assert separated(model) is model


def test_layers_of_somebody_s_own_stay_whole():
    image = keras.Input((4,))
    model = keras.Model(image, OwnDense(3, activation="sigmoid")(image))
    assert separated(model) is model


@pytest.mark.parametrize("activation", ["silu", "sigmoid"])
def test_a_regularizer_of_the_activity_reads_what_is_behind_the_activation(activation):
    image = keras.Input((4,))
    layer = layers.Dense(3, activation=activation, activity_regularizer="l1")
    model = keras.Model(image, layer(image))
    x = np.ones((2, 4), np.float32)
    model(x)
    expected = float(sum(model.losses))
    network = separated(model)
    network(x)
    assert float(sum(network.losses)) == pytest.approx(expected, rel=1e-6)
    averages = averages_of(network)
    averages.include(rewrite(network, None).model([x])[1])
    view = rewrite(network, scheme(("deploy",), op="fake_quant"), averages).model
    view([x], training=True)
    assert float(sum(view.losses)) == pytest.approx(expected, rel=0.05)


class OwnSeparable(layers.SeparableConv2D):
    """Its call may use the kernels in any way."""


def test_a_separable_convolution_of_somebody_s_own_stays_whole():
    image = keras.Input(SHAPE)
    model = keras.Model(image, OwnSeparable(3, 3)(image))
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
