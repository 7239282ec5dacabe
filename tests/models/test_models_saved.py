"""Variables that would not be saved, and kernels that are no variables: refused before training."""

from __future__ import annotations

import keras
import pytest
from keras import layers
from unusual_networks import block, head

from qbench.base.errors import QbenchError


class Scaled(layers.Conv2D):
    """A convolution with a factor of its own; Keras saves kernel and bias alone."""

    def build(self, shape):
        super().build(shape)
        self.factor = self.add_weight(shape=(self.filters,), initializer="ones", name="factor")

    def call(self, x):
        return super().call(x) * self.factor


class Saved(Scaled):
    def save_own_variables(self, store):
        super().save_own_variables(store)
        store["factor"] = self.factor

    def load_own_variables(self, store):
        self.factor.assign(store["factor"])
        super().load_own_variables({key: store[key] for key in ("0", "1")})


class Holding(layers.Layer):
    """A layer that holds another; each saves what is its own."""

    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def call(self, x):
        return self.inner(x)


def with_layer(make):
    def builder(shape, classes):
        image = keras.Input(shape)
        return keras.Model(image, head(make()(block(image, 4)), classes))

    return builder


@pytest.mark.parametrize(
    "make",
    [lambda: Scaled(4, 3, name="mine"), lambda: Holding(Scaled(4, 3, name="mine"))],
    ids=["by itself", "inside another"],
)
def test_a_variable_that_is_not_saved_is_named(make, build):
    with pytest.raises(QbenchError) as error:
        build(with_layer(make))
    said = "mine (Scaled) saves 2 of its 3 variables (kernel, bias, factor), so that trained values"
    assert said in str(error.value)


@pytest.mark.parametrize("make", [lambda: Saved(4, 3), lambda: Holding(layers.Conv2D(4, 3))])
def test_what_is_saved_is_taken(make, build):
    build(with_layer(make))


@pytest.mark.parametrize(
    "make",
    [lambda: layers.Conv2D(4, 3, lora_rank=2), lambda: layers.Dense(4, lora_rank=2)],
)
def test_kernels_that_are_sums_are_refused(make, build):
    with pytest.raises(QbenchError, match="has LoRA enabled"):
        build(with_layer(make))
