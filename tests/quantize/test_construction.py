"""Models built from a plan with parts of somebody else's."""

from __future__ import annotations

import gc
import weakref

import keras
import numpy as np
import pytest
import random_networks as random
import unusual_networks as unusual
from keras import layers
from quantize_networks import averages_of, images, network, residual, scheme
from rewrite_examples import FOLDED

from qbench.quantize.analysis import analyse
from qbench.quantize.construction import construct
from qbench.quantize.rewrite import inference_of, rewrite
from qbench.quantize.tensors import graph_of
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


SCHEMES = {
    "float": None,
    "current": scheme(),
    "given": scheme(("conv", "shortcut"), range_given=True, bits=4),
    "folded": scheme(**FOLDED),
}
NETWORKS = {
    "residual": lambda shape, _: network(residual, shape),
    "shared_layers": unusual.shared_layers,
    "concatenated_by_ops": unusual.concatenated_by_ops,
    "keyword_call": unusual.keyword_call,
    "dropout": unusual.dropout,
    "attention": random.attention,
}


@pytest.mark.parametrize("build", NETWORKS.values(), ids=NETWORKS)
def test_what_is_computed_without_a_model_is_what_the_view_computes(build):
    """To the last bit, in inference."""
    model, x = build((8, 8, 1), 10), images(shape=(8, 8, 1))
    averages = averages_of(model)
    averages.include(rewrite(model, None).model([x])[1])
    for chosen in SCHEMES.values():
        expected = rewrite(model, chosen, averages).model([x], training=False)[0]
        actual = inference_of(model, chosen, averages)([x], training=False)
        np.testing.assert_array_equal(actual, expected)


def test_a_graph_is_read_once_and_forgotten_with_its_model():
    model = network(residual)
    graph, held = graph_of(model), weakref.ref(model)
    assert graph_of(model) is graph and readers(model) is readers(model)
    del model
    gc.collect()
    assert held() is None
