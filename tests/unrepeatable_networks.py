"""Layers whose numbers no seed brings back, or that keep what is not saved; some only look so."""

import random

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops


class Own(layers.Layer):
    """Computes `what(layer, x)` in training, and in evaluation too where `always` is set."""

    def __init__(self, what, make=None, always=False):
        super().__init__(name="own")
        self.what = what
        self.always = always
        self.made = make() if make else None

    def call(self, x, training=False):
        return self.what(self, x) if training or self.always else x

    def compute_output_shape(self, shape):
        return shape


def network(layer):
    """A function of (shape, classes) that gives a network with what `layer()` makes in it."""

    def build(shape, classes):
        image = keras.Input(shape)
        x = layer()(layers.Conv2D(4, 3, strides=2)(image))
        return keras.Model(image, layers.Dense(classes)(layers.GlobalAveragePooling2D()(x)))

    return build


def own(*arguments, **options):
    return network(lambda: Own(*arguments, **options))


def _noise(x, seed=None):
    return keras.random.normal(ops.shape(x), seed=seed)


def _in_a_branch(layer, x):
    return tf.cond(tf.reduce_sum(x) > 0, lambda: x + tf.random.normal(tf.shape(x)), lambda: x)


def _in_python(layer, x):
    y = tf.numpy_function(lambda a: a + np.float32(np.random.normal()), [x], tf.float32)
    return tf.ensure_shape(y, x.shape)


def _in_numpy(layer, x):
    return x * float(np.random.default_rng().uniform())


def _regularizer(w):
    return tf.reduce_sum(w * tf.random.normal(w.shape))


def _lambda():
    return layers.Lambda(lambda x: x + tf.random.uniform(tf.shape(x)), name="own")


def _dense(**options):
    return network(lambda: layers.Dense(4, name="own", **options))


def _is_told(**options):
    return network(lambda: lambda x: layers.Dropout(0.5, name="own")(x, **options))


# What the sentence says beside the name of the layer.
REFUSED = {
    "keras.random without a seed": (
        own(lambda layer, x: x + _noise(x)),
        "draws random numbers from a generator that is not its own",
    ),
    "a generator made in call": (
        own(lambda layer, x: x + _noise(x, keras.random.SeedGenerator(1))),
        "makes variables whenever it is called",
    ),
    "a generator that Keras does not see": (
        own(lambda layer, x: x + _noise(x, layer.made.generator), lambda: Hidden()),
        "draws random numbers from a generator that is not its own",
    ),
    "tf.random": (own(lambda layer, x: x + tf.random.normal(tf.shape(x))), "RandomStandardNormal"),
    "tf.nn.dropout": (own(lambda layer, x: tf.nn.dropout(x, 0.3)), "RandomUniform"),
    "tf.random in a loop": (
        own(lambda layer, x: tf.map_fn(lambda one: one + tf.random.uniform(()), x)),
        "RandomUniform",
    ),
    "tf.random in a branch": (own(_in_a_branch), "RandomStandardNormal"),
    "tf.random.Generator": (
        own(lambda layer, x: x + layer.made.normal(()), lambda: tf.random.Generator.from_seed(1)),
        "RngReadAndSkip",
    ),
    "Lambda": (network(_lambda), "RandomUniform"),
    "an activation": (_dense(activation=lambda x: x * tf.random.uniform(())), "RandomUniform"),
    "a regularizer": (_dense(kernel_regularizer=_regularizer), "RandomStandardNormal"),
    "a constraint": (
        _dense(kernel_constraint=lambda w: w + keras.random.normal(w.shape)),
        "from a generator that is not its own",
    ),
    "numpy_function": (own(_in_python), "runs Python while the graph runs"),
    "np.random while traced": (
        own(lambda layer, x: x + np.random.normal()),
        "draws random numbers with Python or NumPy while it is traced",
    ),
    "a rare choice while traced": (
        own(lambda layer, x: x if random.random() < 1 - 1e-9 else 2 * x),
        "draws random numbers with Python or NumPy while it is traced",
    ),
    "a generator of NumPy": (own(_in_numpy), "computes with other numbers each time it is built"),
    "np.random in __init__": (
        own(lambda layer, x: x + layer.made, lambda: np.random.normal(size=4).astype("float32")),
        "computes with other numbers each time it is built",
    ),
    "tf.random in __init__": (
        own(lambda layer, x: x + layer.made, lambda: tf.random.normal((4,))),
        "computes with other numbers each time it is built",
    ),
    "a seed from random": (
        own(lambda layer, x: x + _noise(x, layer.made), lambda: random.randrange(10**9)),
        "computes with other numbers each time it is built",
    ),
    "tf.Variable": (
        own(lambda layer, x: x * layer.made, lambda: tf.Variable(2.0, name="scale")),
        "uses the variable scale, which Keras does not know",
    ),
    "random in evaluation": (
        own(lambda layer, x: x + _noise(x, layer.made), keras.random.SeedGenerator, always=True),
        "draws random numbers in evaluation too",
    ),
    "counts in evaluation": (
        network(lambda: Counting()),
        "changes the variable own/calls in evaluation too",
    ),
    "AugMix": (
        lambda shape, classes: keras.Sequential(
            [keras.Input(shape), layers.AugMix(name="own"), layers.Flatten(), layers.Dense(classes)]
        ),
        "draws random numbers with Python or NumPy while it is traced",
    ),
}


class Hidden:
    """Holds a generator where Keras does not look."""

    def __init__(self):
        self.generator = keras.random.SeedGenerator()


class Counting(layers.Layer):
    """Counts its calls, in evaluation too."""

    def __init__(self):
        super().__init__(name="own")

    def build(self, shape):
        self.calls = self.add_weight(shape=(), initializer="zeros", trainable=False, name="calls")

    def call(self, x):
        self.calls.assign_add(1.0)
        return x


class Watched(layers.Layer):
    """Keeps a metric while it trains."""

    def __init__(self):
        super().__init__()
        self.mean = keras.metrics.Mean()

    def call(self, x, training=False):
        if training:
            self.mean.update_state(x)
        return x


def _made_in_a_function():
    class Inner(Own):
        """Another class each time, of the same name."""

    return Inner(lambda layer, x: 2 * x)


ALLOWED = {
    "a class made in the builder": network(_made_in_a_function),
    "a generator of its own": own(
        lambda layer, x: x + _noise(x, layer.made), keras.random.SeedGenerator
    ),
    "generators in a list": own(
        lambda layer, x: x + _noise(x, layer.made[1]),
        lambda: [keras.random.SeedGenerator(), keras.random.SeedGenerator()],
    ),
    "the same numbers in every step": own(lambda layer, x: x + _noise(x, 7)),
    "stateless numbers": own(lambda layer, x: x + tf.random.stateless_normal(tf.shape(x), [1, 2])),
    "a table from a seed": own(
        lambda layer, x: x + layer.made,
        lambda: np.random.default_rng(3).normal(size=4).astype("float32"),
    ),
    "a loop": own(lambda layer, x: tf.map_fn(lambda one: one * 2, x)),
    "a variable": own(lambda layer, x: x * layer.made, lambda: keras.Variable(2.0)),
    "a layer inside": own(
        lambda layer, x: layer.made(x, training=True), lambda: layers.Dropout(0.3)
    ),
    "Lambda": network(lambda: layers.Lambda(lambda x: x * 2)),
    "an activation": _dense(activation=lambda x: x * tf.sigmoid(x)),
    "a metric": network(Watched),
    "training=False": _is_told(training=False),
}
