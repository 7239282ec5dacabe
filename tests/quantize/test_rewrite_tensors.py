from __future__ import annotations

import keras
import pytest
from keras import layers
from quantize_networks import (
    graph_of,
    inserted,
    network,
    op_types,
    ops_inserted,
    quantized,
    readers,
    residual,
)

# residual():
#
#   image - conv_a - relu_a -+- conv_b - bn_b -+- add_c - relu_c - pool_c -+
#                            +-----------------+     logits - flatten - conv_d
#
# By placement, what is quantized and which rule asks first:
KERNELS = {name: ("conv", f"{name} kernel") for name in ("conv_a", "conv_b", "conv_d", "logits")}
EXPECTED = {
    ("conv",): [
        KERNELS["conv_a"],
        ("conv", "relu_a"),
        KERNELS["conv_b"],
        ("conv", "pool_c"),
        KERNELS["conv_d"],
        ("conv", "flatten"),
        KERNELS["logits"],
    ],
    ("activation",): [("activation", "relu_a"), ("activation", "relu_c")],
    ("add",): [("add", "bn_b"), ("add", "relu_a")],
    ("conv", "activation"): [
        KERNELS["conv_a"],
        ("activation", "relu_a"),
        KERNELS["conv_b"],
        ("activation", "relu_c"),
        KERNELS["conv_d"],
        ("conv", "flatten"),
        KERNELS["logits"],
    ],
    ("conv", "add"): [
        KERNELS["conv_a"],
        ("conv", "relu_a"),
        KERNELS["conv_b"],
        ("add", "bn_b"),
        ("conv", "pool_c"),
        KERNELS["conv_d"],
        ("conv", "flatten"),
        KERNELS["logits"],
    ],
    ("activation", "add"): [
        ("activation", "relu_a"),
        ("add", "bn_b"),
        ("activation", "relu_c"),
    ],
    ("conv", "activation", "add"): [
        KERNELS["conv_a"],
        ("activation", "relu_a"),
        KERNELS["conv_b"],
        ("add", "bn_b"),
        ("activation", "relu_c"),
        KERNELS["conv_d"],
        ("conv", "flatten"),
        KERNELS["logits"],
    ],
}


@pytest.mark.parametrize("op", ["qdq_v2", "fake_quant"])
@pytest.mark.parametrize("placement", list(EXPECTED), ids="+".join)
def test_hand_drawn_network(placement, op):
    view = quantized(network(residual), placement, op=op)
    assert inserted(view) == EXPECTED[placement]
    assert ops_inserted(graph_of(view)) == len(EXPECTED[placement])
    assert [i.is_kernel for i in view.insertions] == [
        tensor.endswith(" kernel") for _, tensor in EXPECTED[placement]
    ]


@pytest.mark.parametrize("placement", [("add", "conv"), ("conv", "add")], ids="+".join)
def test_the_rule_named_first_gets_the_tensor(placement):
    def build(image):
        x = layers.Conv2D(2, 1, name="first")(image)
        return layers.Add(name="sum")([layers.Conv2D(2, 1, name="second")(x), x])

    chosen = dict((tensor, rule) for rule, tensor in inserted(quantized(network(build), placement)))
    # `first` is read by the convolution before the add comes, whatever the order.
    assert chosen["first"] == "conv"
    assert chosen["second"] == "add"


@pytest.mark.parametrize("placement", list(EXPECTED), ids="+".join)
@pytest.mark.parametrize(
    "last",
    [
        lambda x: layers.ReLU(name="out")(x),
        lambda x: layers.Add(name="out")([x, x]),
        lambda x: layers.Conv2D(2, 1, name="out", activation="relu")(x),
        lambda x: layers.Flatten(name="out")(layers.ReLU(name="before")(x)),
    ],
    ids=["relu", "add", "convolution", "flattened_relu"],
)
def test_image_and_output_are_never_quantized(placement, last):
    def build(image):
        padded = layers.ZeroPadding2D(name="padded")(image)
        return last(layers.Conv2D(2, 3, name="conv")(padded))

    view = quantized(network(build), placement)
    tensors = {tensor for _, tensor in inserted(view)}
    assert not tensors & {"image", "padded", "out"}
    names = [layer.name for layer in view.model.layers]
    assert view.model.outputs[0]._keras_history.operation.name == "out" or any(
        name.startswith("out.kernel") for name in names
    )


@pytest.mark.parametrize("placement", [("add",), ("conv", "activation", "add")], ids="+".join)
def test_image_read_by_an_add_stays_float(placement):
    def build(image):
        return layers.Add(name="sum")([layers.Conv2D(2, 1, name="conv")(image), image])

    assert ("add", "conv") in inserted(quantized(network(build), placement))
    assert "image" not in {tensor for _, tensor in inserted(quantized(network(build), placement))}


def shared_relu(image):
    x = layers.ReLU(name="relu")(layers.Conv2D(2, 1, name="conv")(image))
    added = layers.Add(name="sum")([layers.Conv2D(2, 1, name="left")(x), x])
    pooled = layers.Conv2D(2, 1, name="right")(layers.MaxPooling2D(1, name="pool")(x))
    return layers.Concatenate(name="both")([added, pooled])


@pytest.mark.parametrize(
    "placement",
    [("activation",), ("conv", "activation"), ("conv", "activation", "add")],
    ids="+".join,
)
@pytest.mark.parametrize("op", ["qdq_v2", "fake_quant"])
def test_one_op_serves_every_reader(placement, op):
    view = quantized(network(shared_relu), placement, op=op)
    assert [tensor for _, tensor in inserted(view)].count("relu") == 1
    assert "pool" not in {tensor for _, tensor in inserted(view)}
    assert readers(graph_of(view), "relu.quantized") == ["AddV2", "Conv2D", "MaxPool"]


def test_without_the_activation_rule_only_its_readers_are_served():
    view = quantized(network(shared_relu), ("conv", "add"))
    assert readers(graph_of(view), "relu.quantized") == ["AddV2", "Conv2D"]
    assert readers(graph_of(view), "pool.quantized") == ["Conv2D"]


PASSING = {
    "zero_padding": lambda: layers.ZeroPadding2D(1, name="passing"),
    "max_pooling": lambda: layers.MaxPooling2D(2, name="passing"),
    "cropping": lambda: layers.Cropping2D(1, name="passing"),
    "reshape": lambda: layers.Reshape((4, 16, 2), name="passing"),
    "permute": lambda: layers.Permute((2, 1, 3), name="passing"),
}


def behind(layer):
    def build(image):
        x = layers.ReLU(name="relu")(layers.Conv2D(2, 1, name="first")(image))
        return layers.Conv2D(2, 1, name="second")(layer()(x))

    return build


@pytest.mark.parametrize("layer", list(PASSING.values()), ids=list(PASSING))
def test_not_again_behind_what_passes_values_through(layer):
    view = quantized(network(behind(layer)), ("conv", "activation"))
    expected = [("conv", "first kernel"), ("activation", "relu"), ("conv", "second kernel")]
    assert inserted(view) == expected
    assert ops_inserted(graph_of(view)) == 3


@pytest.mark.parametrize("layer", list(PASSING.values()), ids=list(PASSING))
def test_behind_what_passes_values_through_where_nothing_was_quantized(layer):
    view = quantized(network(behind(layer)), ("conv",))
    expected = [("conv", "first kernel"), ("conv", "passing"), ("conv", "second kernel")]
    assert inserted(view) == expected


@pytest.mark.parametrize(
    "layer",
    [layers.Flatten, layers.GlobalMaxPooling2D],
    ids=["flatten", "global_max_pooling"],
)
def test_not_again_in_front_of_a_dense_layer(layer):
    def build(image):
        x = layers.Conv2D(2, 1, activation="relu", name="first")(image)
        return layers.Dense(2, name="second")(layer(name="passing")(x))

    view = quantized(network(build), ("conv", "activation"))
    expected = [("conv", "first kernel"), ("activation", "first"), ("conv", "second kernel")]
    assert inserted(view) == expected


@pytest.mark.parametrize(
    "layer",
    [
        lambda name: layers.AveragePooling2D(2, name=name),
        lambda name: layers.Dropout(0.5, name=name),
    ],
    ids=["average_pooling", "dropout"],
)
def test_again_behind_what_makes_new_values(layer):
    def build(image):
        x = layers.Conv2D(2, 1, activation="relu", name="first")(image)
        return layers.Conv2D(2, 1, name="second")(layer(name="between")(x))

    view = quantized(network(build), ("conv", "activation"))
    assert [tensor for _, tensor in inserted(view)] == [
        "first kernel",
        "first",
        "between",
        "second kernel",
    ]


def test_activation_inside_a_convolution():
    view = quantized(network(lambda x: layers.ReLU(name="out")(inner(x))), ("activation",))
    assert inserted(view) == [("activation", "inner")]


def inner(image):
    return layers.Conv2D(2, 1, activation="relu", name="inner")(image)


ACTIVATIONS = {
    "relu": lambda x: layers.ReLU(name="act")(x),
    "relu6": lambda x: layers.ReLU(6.0, name="act")(x),
    "activation_layer": lambda x: layers.Activation("swish", name="act")(x),
    "leaky": lambda x: layers.LeakyReLU(name="act")(x),
    "prelu": lambda x: layers.PReLU(name="act")(x),
    "elu": lambda x: layers.ELU(name="act")(x),
    "dense": lambda x: layers.Dense(2, activation="tanh", name="act")(x),
}


@pytest.mark.parametrize("activation", list(ACTIVATIONS.values()), ids=list(ACTIVATIONS))
def test_what_counts_as_an_activation(activation):
    def build(image):
        return layers.AveragePooling2D(2, name="out")(activation(layers.Conv2D(2, 1)(image)))

    assert inserted(quantized(network(build), ("activation",))) == [("activation", "act")]


def test_activation_as_an_operation():
    def build(image):
        return layers.AveragePooling2D(2, name="out")(keras.ops.relu(layers.Conv2D(2, 1)(image)))

    view = quantized(network(build), ("activation",))
    assert [rule for rule, _ in inserted(view)] == ["activation"]
    assert op_types(graph_of(view))["QuantizeAndDequantizeV2"] == 1


@pytest.mark.parametrize("name", ["linear", "softmax"])
def test_linear_and_softmax_are_no_activations(name):
    def build(image):
        return layers.AveragePooling2D(2)(layers.Conv2D(2, 1, activation=name)(image))

    assert inserted(quantized(network(build), ("activation",))) == []


def test_every_output_of_an_op_is_a_tensor_of_its_own():
    def build(image):
        left, right = keras.ops.split(layers.Conv2D(4, 1, name="conv")(image), 2, axis=-1)
        return layers.Add(name="sum")([layers.Conv2D(2, 1, name="a")(left), right])

    tensors = quantized(network(build), ("conv", "activation", "add")).tensors
    assert len(set(tensors)) == len(tensors)
    assert tensors.count("image") == 1
