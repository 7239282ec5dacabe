"""Models built from a plan with parts of somebody else's."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers
from quantize_networks import images, network, residual, scheme

from qbench.quantize.analysis import analyse
from qbench.quantize.construction import construct
from qbench.quantize.walk import readers


class Recorded:
    """Parts that change nothing and note down what they are asked for."""

    def __init__(self):
        self.tensors, self.calls = [], []

    def quantized(self, planned, value, root):
        self.tensors.append((planned.tensor, value is root))
        return value

    def called(self, call, args, kwargs):
        self.calls.append(call.op.name)
        return call.op(*args, **kwargs)


def test_a_plan_can_be_built_with_other_parts():
    model, parts = network(residual), Recorded()
    plan = analyse(model, scheme(("conv", "add")))
    built = construct(model, plan, parts)
    assert parts.calls == [layer.name for layer in model.layers[1:]]
    assert parts.tensors == [
        ("relu_a", True), ("bn_b", True), ("pool_c", False), ("flatten", False)
    ]  # fmt: skip
    x = images()
    np.testing.assert_array_equal(keras.Model(built.inputs, built.output)(x), model(x))
    every = keras.Model(built.inputs, built.values)(x)
    assert set(every) == {"image", *parts.calls}
    np.testing.assert_array_equal(every["image"], x)


def test_a_plan_is_of_one_network():
    plan = analyse(network(layers.Conv2D(2, 1, name="first")), None)
    with pytest.raises(ValueError, match="the plan has first where the model has conv_a"):
        construct(network(residual), plan, Recorded())


def test_who_reads_what():
    """A tensor that is read twice, one that is read in a list, and one that nobody reads."""

    def build(image):
        x = layers.Conv2D(2, 1, name="c")(image)
        y = layers.Add(name="s")([x, layers.ReLU(name="r")(x)])
        return layers.Flatten(name="f")(y)

    assert readers(network(build)) == {"c": ["r", "s"], "r": ["s"], "s": ["f"]}
