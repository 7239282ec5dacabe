"""Networks that give probabilities, however that is written, and networks that only seem to."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
import unusual_networks as unusual
from keras import layers, ops
from unusual_networks import block, head

from qbench.base.errors import QbenchError
from qbench.tasks import logits


def ends_in(tail):
    """A builder of a small network with `tail(logits)` at its end."""

    def builder(shape, classes):
        image = keras.Input(shape)
        return keras.Model(image, tail(head(block(image, 8), classes)))

    return builder


class OwnSoftmax(layers.Layer):
    def call(self, x):
        x = ops.exp(x - ops.max(x, axis=-1, keepdims=True))
        return x / ops.sum(x, axis=-1, keepdims=True)


class Attends(layers.Layer):
    """Has a softmax for itself; what comes out are logits."""

    activation = staticmethod(keras.activations.softmax)

    def call(self, x):
        return x - self.activation(x) * x


class Shorter(layers.Layer):
    """Gives less than it says."""

    def call(self, x):
        return x[:, :2]

    def compute_output_shape(self, shape):
        return shape


class Fewer(Shorter):
    """Gives a row for half of the images."""

    def call(self, x):
        return x[:4]


class SoftmaxAtInference(layers.Layer):
    """Trains on logits, answers in probabilities."""

    def call(self, x, training=False):
        return x if training else ops.softmax(x)


class Breaks(Shorter):
    """Cannot be run, but says so only then."""

    def call(self, x):
        return ops.matmul(x, ops.ones((3, 10)))


def averaged_softmax(shape, classes):
    image = keras.Input(shape)
    x = layers.Conv2D(classes, 1, activation="softmax")(block(image, 8))
    return keras.Model(image, layers.GlobalAveragePooling2D()(x))


def from_zeros(x, bias="zeros"):
    """A head that gives the same for every image until it is trained."""
    start = keras.initializers.Constant(0.1) if bias == "prior" else bias
    return layers.Dense(10, kernel_initializer="zeros", bias_initializer=start)(x)


SOFTMAX, SIGMOID = "ends in a softmax", "ends in a sigmoid"
SUMS, BOUNDED = "are probabilities, no logits", "are no logits: they stay between 0 and 1"
SQUASHED = {
    "dense": (unusual.softmax_at_the_end, f"{SOFTMAX} (dense)"),
    "dense_sigmoid": (
        ends_in(lambda x: layers.Dense(10, activation="sigmoid")(x)),
        f"{SIGMOID} (dense_1)",
    ),
    "dense_of_layer": (
        ends_in(lambda x: layers.Dense(10, activation=layers.Softmax())(x)),
        SOFTMAX,
    ),
    "layer": (ends_in(lambda x: layers.Softmax()(x)), f"{SOFTMAX} (softmax)"),
    "activation": (ends_in(lambda x: layers.Activation("softmax")(x)), f"{SOFTMAX} (activation)"),
    "hard_sigmoid": (ends_in(lambda x: layers.Activation("hard_sigmoid")(x)), SIGMOID),
    "operation": (ends_in(ops.softmax), SOFTMAX),
    "operation_sigmoid": (ends_in(ops.sigmoid), SIGMOID),
    "sparsemax": (ends_in(ops.sparsemax), SOFTMAX),
    "sparse_sigmoid": (ends_in(ops.sparse_sigmoid), SIGMOID),
    "linear": (ends_in(lambda x: layers.Activation("linear")(ops.softmax(x))), SOFTMAX),
    "at_inference": (ends_in(lambda x: SoftmaxAtInference()(x)), SUMS),
    "reshaped": (ends_in(lambda x: layers.Reshape((10,))(ops.softmax(x))), SOFTMAX),
    "squeezed": (ends_in(lambda x: ops.squeeze(ops.expand_dims(ops.softmax(x), 1), 1)), SOFTMAX),
    "dropped": (ends_in(lambda x: layers.Dropout(0.3)(layers.Softmax()(x))), SOFTMAX),
    "flattened": (ends_in(lambda x: layers.Flatten()(layers.Identity()(ops.sigmoid(x)))), SIGMOID),
    "averaged": (averaged_softmax, f"{SOFTMAX} (conv2d)"),
    "by_name": (ends_in(lambda x: layers.Softmax()(inputs=x)), SOFTMAX),
    "sequential": (
        lambda shape, classes: keras.Sequential(
            [layers.Flatten(), layers.Dense(classes), layers.Softmax()]
        ),
        SOFTMAX,
    ),
    "lambda": (ends_in(lambda x: layers.Lambda(tf.nn.softmax)(x)), SUMS),
    "lambda_sigmoid": (ends_in(lambda x: layers.Lambda(tf.sigmoid)(x)), BOUNDED),
    "own_layer": (ends_in(lambda x: OwnSoftmax()(x)), SUMS),
    "written_out": (ends_in(lambda x: ops.exp(x) / ops.sum(ops.exp(x), -1, keepdims=True)), SUMS),
    "sigmoid_written_out": (ends_in(lambda x: 1 / (1 + ops.exp(-x))), BOUNDED),
    "through_tanh": (ends_in(lambda x: 0.5 * (ops.tanh(x) + 1.0)), BOUNDED),
    "clipped": (ends_in(lambda x: ops.clip(ops.softmax(x), 1e-7, 1.0)), SUMS),
    "ensemble": (
        ends_in(lambda x: layers.Average()([ops.softmax(x), ops.softmax(-x)])),
        SUMS,
    ),
    "from_zeros": (ends_in(lambda x: layers.Lambda(tf.sigmoid)(from_zeros(x))), BOUNDED),
}


@pytest.mark.parametrize(("builder", "says"), SQUASHED.values(), ids=SQUASHED.keys())
def test_probabilities_are_refused(builder, says, build):
    with pytest.raises(QbenchError) as error:
        build(builder)
    assert str(error.value).startswith("model=mine: it")
    assert says in str(error.value)
    assert "leave" in str(error.value)
    assert "\n" not in str(error.value)


LOGITS = {
    "log_softmax": ops.log_softmax,
    "temperature": lambda x: x / 2.0,
    "softmax_before": lambda x: layers.Dense(10)(ops.softmax(x)),
    "many_softmaxes": lambda x: 10.0 * ops.softmax(x),
    "relu": ops.relu,
    "relu6": ops.relu6,
    "tanh": ops.tanh,
    "normalized": lambda x: layers.LayerNormalization()(x),
    "batch_normalized": lambda x: layers.BatchNormalization()(x),
    "normalized_relu": lambda x: layers.UnitNormalization()(ops.relu(x)),
    "zeros": lambda x: layers.ReLU()(from_zeros(x)),
    "zeros_of_lambda": lambda x: layers.Lambda(lambda y: y)(from_zeros(x)),
    "prior": lambda x: layers.Lambda(lambda y: y)(from_zeros(x, "prior")),
    "softmax_inside": lambda x: Attends()(x),
    "overflow": lambda x: ops.exp(ops.exp(x)),
}


@pytest.mark.parametrize("tail", LOGITS.values(), ids=LOGITS.keys())
def test_what_only_looks_like_probabilities_is_taken(tail, build):
    assert build(ends_in(tail)).output.shape == (None, 10)


def test_an_output_that_is_another_when_it_is_run_is_refused(build):
    with pytest.raises(QbenchError, match=r"output of shape \(8, 2\); its layers say \(None, 10\)"):
        build(ends_in(lambda x: Shorter()(x)))


def test_a_layer_of_ones_own_inside_is_run_too(build):
    with pytest.raises(QbenchError, match=r"output of shape \(4, 10\); its layers say"):
        build(ends_in(lambda x: layers.Dense(10)(Fewer()(x))))


def test_a_network_that_cannot_be_run_is_refused(build):
    with pytest.raises(QbenchError) as error:
        build(ends_in(lambda x: Breaks()(x)))
    said = str(error.value)
    assert said.startswith("model=mine cannot be used on images of (8, 8, 1): InvalidArgumentError")
    assert "[8,10], In[1]: [3,10]" in said
    assert "\n" not in said


def pooled_sigmoid(pool):
    def builder(shape, classes):
        image = keras.Input(shape)
        x = layers.Conv2D(classes, 1, activation="sigmoid")(block(image, 8))
        return keras.Model(image, pool(x))

    return builder


@pytest.mark.parametrize(
    ("builder", "says"),
    [
        (ends_in(lambda logits: ops.softmax(logits) + 1e-7), SUMS),
        (pooled_sigmoid(layers.GlobalMaxPooling2D()), SIGMOID),
        (pooled_sigmoid(lambda x: ops.max(x, axis=(1, 2))), SIGMOID),
        (pooled_sigmoid(lambda x: layers.Flatten()(layers.MaxPooling2D(8)(x))), SIGMOID),
    ],
    ids=["softmax and a little", "pool", "operation", "window"],
)
def test_squashing_behind_or_before_something_small_is_seen(builder, says, build):
    with pytest.raises(QbenchError, match=says):
        build(builder)


# What a network gave under three sets of weights, for two images of two classes.
SEEN = {
    "sums and a little": ([[0.2, 0.8009]], SUMS),
    "sums and more": ([[0.2, 0.84]], None),
    "sums of two": ([[0.9, 0.95]], None),
    "a little above 1": ([[0.3, 1.0009]], None),
    "above 1": ([[0.05, 1.5]], None),
    "negative": ([[-0.01, 1.01]], None),
    "at both ends": ([[0.05, 0.95], [0.5, 0.3], [0.6, 0.7]], BOUNDED),
    "at the lower end": ([[0.05, 0.6]], None),
    "at the upper end": ([[0.5, 0.95]], None),
    "zeros at first": ([[0.0, 0.95], [0.5, 0.3], [0.6, 0.7]], None),
    "zeros later": ([[0.05, 0.95], [0.0, 0.3], [0.6, 0.7]], BOUNDED),
    "not finite": ([[float("inf"), 0.0]], None),
    "not finite at once": ([[float("nan"), 2.0], [0.2, 0.8], [0.3, 0.7]], SUMS),
}


@pytest.mark.parametrize(("rows", "says"), SEEN.values(), ids=SEEN.keys())
def test_values_that_are_taken_for_probabilities(rows, says):
    outputs = [np.array([row, row], np.float32) for row in rows]
    if says is None:
        logits._check_values(outputs)
        return
    with pytest.raises(QbenchError, match=says):
        logits._check_values(outputs)
