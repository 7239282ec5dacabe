from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers
from quantize_networks import (
    averages_of,
    graph_of,
    images,
    inserted,
    network,
    op_types,
    ops_inserted,
    output,
    quantized,
    scheme,
)
from rewrite_examples import SCHEMES, view_of

from qbench.base.errors import QbenchError
from qbench.base.keras_private import call_again
from qbench.quantize.quantizer import CURRENT, MOVING, OWN
from qbench.quantize.rewrite import rewrite


def sum_of(x, y, operator):
    return x + y if operator else layers.Add(name="sum")([x, y])


@pytest.mark.parametrize("operator", [True, False], ids=["operator", "layer"])
def test_both_kinds_of_add(operator):
    def build(image):
        x, y = layers.Conv2D(2, 1, name="x")(image), layers.Conv2D(2, 1, name="y")(image)
        return layers.Conv2D(2, 1, name="out")(sum_of(x, y, operator))

    view = quantized(network(build), ("add",))
    assert sorted(inserted(view)) == [("add", "x"), ("add", "y")]
    assert ops_inserted(graph_of(view)) == 2


def test_an_add_of_one_tensor_with_itself():
    def build(image):
        x = layers.Conv2D(2, 1, name="x")(image)
        return layers.Conv2D(2, 1, name="out")(layers.Add()([x, x]))

    view = quantized(network(build), ("add",))
    assert inserted(view) == [("add", "x")]
    assert ops_inserted(graph_of(view)) == 1


def test_adding_a_constant_is_no_addition_of_two_tensors():
    def build(image):
        return layers.Conv2D(2, 1, name="out")(layers.Conv2D(2, 1, name="x")(image) + 1.0)

    assert inserted(quantized(network(build), ("add",))) == []


def twice(image):
    shared = layers.Conv2D(2, 1, name="shared")
    return shared(layers.ReLU(name="relu")(shared(image)))


def test_a_convolution_used_twice():
    model = network(twice)
    view = quantized(model, ("conv", "activation"))
    kernel = ("conv", "shared kernel")
    assert inserted(view) == [kernel, ("activation", "relu"), kernel]
    assert len({insertion.layer for insertion in view.insertions}) == 3
    assert ops_inserted(graph_of(view)) == 3
    assert len(view.model.trainable_variables) == len(model.trainable_variables) == 2
    assert view.tensors == ("image", "relu", "shared.2")


@pytest.mark.parametrize("placement", [None, ("conv", "activation")], ids=["float", "quantized"])
def test_batch_normalization_used_twice(placement):
    def build(image):
        shared = layers.BatchNormalization(name="shared")
        return shared(layers.Conv2D(2, 1)(shared(layers.Conv2D(2, 1)(image))))

    model = network(build)
    view = quantized(model, placement) if placement else rewrite(model, None)
    assert len(view.model.trainable_variables) == len(model.trainable_variables)


@pytest.mark.parametrize("name", ["ranges", "image", "x.quantized", "x_fused"])
def test_layer_names_of_the_model_may_be_anything(name):
    def build(image):
        x = layers.BatchNormalization(name="x")(layers.Conv2D(2, 1)(image))
        return layers.Conv2D(2, 1)(layers.Conv2D(2, 1, activation="relu", name=name)(x))

    view = quantized(network(build))
    assert len(set(view.tensors)) == len(view.tensors)


def nested(image):
    inner = keras.Sequential([layers.Conv2D(2, 1), layers.ReLU(), layers.Conv2D(2, 1)])
    return layers.Flatten()(inner(image))


def test_a_nested_model_is_not_left_float_in_silence():
    model = network(nested)
    try:
        view = quantized(model)
    except QbenchError:
        return
    assert len(inserted(view)) == 3


KERNEL_LAYERS = {
    "conv": (lambda: layers.Conv2D(2, 3, name="out"), 1),
    "transposed": (lambda: layers.Conv2DTranspose(2, 3, name="out"), 1),
    "depthwise": (lambda: layers.DepthwiseConv2D(3, depth_multiplier=2, name="out"), 1),
    "separable": (lambda: layers.SeparableConv2D(3, 3, name="out"), 2),
    "dense": (lambda: layers.Dense(3, name="out"), 1),
    "einsum": (lambda: layers.EinsumDense("abcd,de->abce", (8, 8, 3), name="out"), 1),
}
parametrize_kernels = pytest.mark.parametrize(
    ("layer", "kernels"), list(KERNEL_LAYERS.values()), ids=list(KERNEL_LAYERS)
)


@parametrize_kernels
@pytest.mark.parametrize("op", ["qdq_v2", "fake_quant"])
def test_every_kernel_is_quantized(layer, kernels, op):
    model = network(lambda image: layer()(image))
    view = quantized(model, ("conv",), op=op)
    counts = op_types(graph_of(view))
    assert counts["QuantizeAndDequantizeV2"] + counts["FakeQuantWithMinMaxVars"] == kernels
    assert {tensor for _, tensor in inserted(view)} == {"out kernel"}


@parametrize_kernels
def test_every_op_has_its_insertion(layer, kernels):
    view = quantized(network(lambda image: layer()(image)), ("conv",))
    assert len(view.insertions) == kernels


@parametrize_kernels
@pytest.mark.parametrize("op", ["qdq_v2", "fake_quant"])
def test_values_are_those_of_a_layer_with_quantized_kernels(layer, kernels, op):
    model = network(lambda image: layer()(image))
    x, chosen = images(), scheme(("conv",), op=op, bits=4)
    actual = output(rewrite(model, chosen, averages_of(model)), x)
    before = output(rewrite(model, None), x)
    for variable in model.trainable_variables:
        if "kernel" in variable.name:
            value = variable.numpy()
            # fake_quant measures the kernel now, qdq_v2 does so by itself
            ends = value.min(), value.max()
            variable.assign(chosen.kernel.quantizer(variable.value, *ends))
    np.testing.assert_allclose(actual, model(x), rtol=1e-5, atol=1e-6)
    assert not np.allclose(before, actual, atol=1e-3)


@pytest.mark.parametrize(
    ("quant", "kernel", "tensor"),
    [
        ({"op": "qdq_v2", "range_given": False}, OWN, OWN),
        ({"op": "qdq_v2", "range_given": True}, CURRENT, MOVING),
        ({"op": "fake_quant"}, CURRENT, MOVING),
    ],
    ids=["qdq_measured", "qdq_given", "fake_quant"],
)
def test_where_ranges_come_from(quant, kernel, tensor):
    view = quantized(network(twice), ("conv", "activation"), **quant)
    assert [i.source for i in view.insertions] == [kernel, tensor, kernel]
    chosen = scheme(**quant, weight_bits=3, activation_bits=5)
    assert (chosen.kernel.quantizer.source, chosen.activation.source) == (kernel, tensor)
    assert (chosen.kernel.quantizer.bits, chosen.activation.bits) == (3, 5)


def test_no_scheme_without_quantization():
    assert scheme(enabled=False) is None


def kinds(image):
    """A layer of every kind that a view puts in the place of another."""
    x = layers.BatchNormalization()(layers.Conv2D(4, 3, strides=2)(image))
    x = layers.BatchNormalization()(layers.ReLU()(layers.DepthwiseConv2D(3, depth_multiplier=2)(x)))
    x = layers.concatenate([layers.SeparableConv2D(3, 1)(x), layers.Conv2DTranspose(2, 1)(x)])
    return layers.Dense(3, name="out")(layers.GlobalAveragePooling2D()(x))


def made_by(view, inputs):
    """Everything that the calls in a view make of its inputs, in order."""
    found = []

    def call(op, *args, **kwargs):
        found.extend(keras.tree.flatten(output := op(*args, **kwargs)))
        return output

    call_again(view, inputs, call)
    return found


@pytest.mark.parametrize("chosen", SCHEMES.values(), ids=SCHEMES.keys())
def test_what_a_view_says_that_its_layers_make_is_what_they_make(chosen):
    view = view_of(network(kinds), chosen).model
    declared, values = made_by(view, [keras.Input((8, 8, 2))]), made_by(view, [images()])
    for one, value in zip(declared, values, strict=True):
        assert one.dtype == value.dtype
        pairs = zip(one.shape, value.shape, strict=True)
        assert all(side in (None, known) for side, known in pairs)
