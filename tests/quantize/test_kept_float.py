"""Which values of a network stay float whatever is quantized."""

from __future__ import annotations

import keras
from keras import layers
from quantize_networks import network

from qbench.quantize.kept_float import KeptFloat, beside_kernels, kept_float, warnings


class Scaled(layers.Dense):
    """Has a factor beside its kernel and its bias."""

    def build(self, shape):
        super().build(shape)
        self.factor = self.add_weight(shape=(3, 1), name="factor")
        self.calls = self.add_weight(shape=(), dtype="int32", trainable=False, name="calls")

    def call(self, x):
        return super().call(x) * self.factor[0]


class Table(keras.Layer):
    """A kernel that no Keras layer has."""

    def build(self, shape):
        self.table = self.add_weight(shape=(shape[-1], 2), name="table")

    def call(self, x):
        return x @ self.table


def held(image):
    x = layers.BatchNormalization(name="folded")(layers.Conv2D(4, 3, name="c")(image))
    x = layers.BatchNormalization(name="kept", center=False)(layers.ReLU()(x))
    x = Table(name="table")(layers.GlobalMaxPooling2D()(x))
    return Scaled(3, name="scaled")(x)


def test_what_is_neither_kernel_nor_bias_nor_folded():
    model = network(held)
    found = kept_float(model)
    assert found[:3] == [
        KeptFloat("kept", "BatchNormalization", name, (4,))
        for name in ("gamma", "moving_mean", "moving_variance")
    ]
    assert found[3:] == [
        KeptFloat("table", "Table", "table", (4, 2)),
        KeptFloat("scaled", "Scaled", "factor", (3, 1)),
    ]
    assert [one.values for one in found] == [4, 4, 4, 8, 3]
    assert [one.is_kernel for one in found] == [False, False, False, True, False]
    scaled = model.get_layer("scaled")
    assert [weight.name for weight in beside_kernels(scaled)] == ["factor", "calls"]


def test_only_kernels_are_warned_of():
    (said,) = warnings(network(held))
    assert said.startswith("table (Table): table (4, 2) stays float in every row;")


def test_a_variable_of_two_layers_counts_once():
    class Borrowing(keras.Layer):
        def __init__(self, owner):
            super().__init__()
            self.owner = owner

        def call(self, x):
            return self.owner(x)

    def build(image):
        first = Table(name="first")
        return layers.Add()([first(image), Borrowing(first)(image)])

    assert [one.layer for one in kept_float(network(build))] == ["first"]
