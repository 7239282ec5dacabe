"""What each kind of layer and operation is to the rules of placement."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers, ops
from quantize_networks import network

from qbench.quantize.traits import (
    is_activation,
    is_add,
    is_average,
    is_concatenation,
    is_convolution,
    is_identity_in_inference,
    keeps_grid,
    kernels,
    passes_values_through,
)

SEQUENCE, IMAGE, VOLUME = (6, 4), (6, 6, 4), (6, 6, 6, 2)
CONVOLUTIONS = [
    (layers.Conv1D(2, 2), SEQUENCE, 1),
    (layers.Conv2D(2, 2), IMAGE, 1),
    (layers.Conv3D(2, 2), VOLUME, 1),
    (layers.Conv1DTranspose(2, 2), SEQUENCE, 1),
    (layers.Conv2DTranspose(2, 2), IMAGE, 1),
    (layers.Conv3DTranspose(2, 2), VOLUME, 1),
    (layers.DepthwiseConv1D(2), SEQUENCE, 1),
    (layers.DepthwiseConv2D(2), IMAGE, 1),
    (layers.SeparableConv1D(2, 2), SEQUENCE, 2),
    (layers.SeparableConv2D(2, 2), IMAGE, 2),
    (layers.Dense(2), SEQUENCE, 1),
    (layers.EinsumDense("abc,cd->abd", (None, 2)), SEQUENCE, 1),
]
ACTIVATIONS = [
    layers.ReLU(),
    layers.LeakyReLU(),
    layers.PReLU(),
    layers.ELU(),
    layers.Activation("tanh"),
    layers.Conv2D(2, 2, activation="relu"),
]
ACTIVATION_OPS = [
    ops.celu,
    ops.elu,
    ops.gelu,
    ops.glu,
    ops.hard_sigmoid,
    ops.hard_silu,
    ops.hard_tanh,
    ops.leaky_relu,
    ops.relu,
    ops.relu6,
    ops.selu,
    ops.sigmoid,
    ops.silu,
    ops.softplus,
    ops.tanh,
]
PASSING = [
    (layers.ZeroPadding1D(1), SEQUENCE),
    (layers.ZeroPadding2D(1), IMAGE),
    (layers.ZeroPadding3D(1), VOLUME),
    (layers.MaxPooling1D(2), SEQUENCE),
    (layers.MaxPooling2D(2), IMAGE),
    (layers.MaxPooling3D(2), VOLUME),
    (layers.GlobalMaxPooling1D(), SEQUENCE),
    (layers.GlobalMaxPooling2D(), IMAGE),
    (layers.Cropping1D(1), SEQUENCE),
    (layers.Cropping2D(1), IMAGE),
    (layers.Cropping3D(1), VOLUME),
    (layers.Flatten(), IMAGE),
    (layers.Reshape((-1, 2)), IMAGE),
    (layers.Permute((2, 1)), SEQUENCE),
    (layers.Identity(), IMAGE),
    (layers.RepeatVector(2), (4,)),
    (layers.UpSampling1D(2), SEQUENCE),
    (layers.UpSampling2D(2), IMAGE),
    (layers.UpSampling3D(2), VOLUME),
]
PASSING_OPS = {
    "expand": lambda x: ops.expand_dims(x, 1),
    "flip": ops.flip,
    "item": lambda x: x[:, 1:],
    "max": lambda x: ops.max(x, 1),
    "max of 0": lambda x: ops.max(x, 1, initial=0),
    "pool": lambda x: ops.max_pool(x, 2),
    "move": lambda x: ops.moveaxis(x, 1, 2),
    "pad": lambda x: ops.pad(x, [[0, 0], [1, 1], [1, 1], [0, 0]]),
    "pad 0": lambda x: ops.pad(x, [[0, 0], [1, 1], [1, 1], [0, 0]], constant_values=0),
    "ravel": ops.ravel,
    "repeat": lambda x: ops.repeat(x, 2, 1),
    "reshape": lambda x: ops.reshape(x, (-1, 4)),
    "slice": lambda x: ops.slice(x, (0, 1, 1, 1), (1, 2, 2, 2)),
    "split": lambda x: ops.split(x, 2, 1)[0],
    "squeeze": lambda x: ops.squeeze(x[:, :, :1], 2),
    "swap": lambda x: ops.swapaxes(x, 1, 2),
    "tile": lambda x: ops.tile(x, (1, 2, 1, 1)),
    "transpose": lambda x: ops.transpose(x, (0, 2, 1, 3)),
    "unstack": lambda x: ops.unstack(x, 6, 1)[0],
}
# Classes, since a generator of random numbers is made with the layer.
IDENTITIES = [
    layers.Dropout,
    layers.SpatialDropout1D,
    layers.SpatialDropout2D,
    layers.SpatialDropout3D,
    layers.AlphaDropout,
    layers.GaussianDropout,
    layers.GaussianNoise,
    layers.ActivityRegularization,
    layers.Identity,
]
GLOBAL = [
    layers.GlobalAveragePooling1D(),
    layers.GlobalAveragePooling2D(),
    layers.GlobalAveragePooling3D(),
]
WINDOWS = [layers.AveragePooling1D(2), layers.AveragePooling2D(2), layers.AveragePooling3D(2)]
OTHERS = [
    layers.Softmax(),
    layers.Activation("linear"),
    layers.Activation("softmax"),
    layers.BatchNormalization(),
    layers.Multiply(),
    layers.UpSampling2D(2, interpolation="bicubic"),
]


def kind(layer):
    return type(layer).__name__


def last_op(build, shape=IMAGE):
    return network(build, shape).operations[-1]


def last_call(build, shape=IMAGE):
    """The last operation of a network and what it is called with by keyword."""
    op = last_op(build, shape)
    return op, op._inbound_nodes[-1].arguments.kwargs


@pytest.mark.parametrize(
    ("layer", "shape", "count"), CONVOLUTIONS, ids=[kind(one[0]) for one in CONVOLUTIONS]
)
def test_what_multiplies_by_kernels(layer, shape, count):
    layer.build((None, *shape))
    assert is_convolution(layer) and len(kernels(layer)) == count
    trained = [weight for weight in layer.weights if len(weight.shape) > 1]
    assert [id(one) for one in kernels(layer)] == [id(one) for one in trained]
    assert not is_activation(layer)


@pytest.mark.parametrize("layer", ACTIVATIONS, ids=kind)
def test_layers_that_activate(layer):
    assert is_activation(layer)


@pytest.mark.parametrize("function", ACTIVATION_OPS, ids=lambda function: function.__name__)
def test_operations_that_activate(function):
    assert is_activation(last_op(function))


def _values(shape):
    """Whole numbers, none of which is 0, both signs."""
    values = np.random.default_rng(3).permutation(np.arange(1, 1 + np.prod(shape))) - 0.5
    return np.float32((values - values.mean()) * 2 + 0.25).reshape(1, *shape)


@pytest.mark.parametrize(("layer", "shape"), PASSING, ids=[kind(one[0]) for one in PASSING])
def test_layers_that_pass_values_through(layer, shape):
    assert passes_values_through(layer)
    x = _values(shape)
    assert set(np.ravel(layer(x))) <= {*np.ravel(x), 0}


@pytest.mark.parametrize("build", PASSING_OPS.values(), ids=PASSING_OPS)
def test_operations_that_pass_values_through(build):
    op, arguments = last_call(build)
    assert passes_values_through(op, arguments) and passes_values_through(op)
    x = _values(IMAGE)
    assert set(np.ravel(build(keras.ops.convert_to_tensor(x)))) <= {*np.ravel(x), 0}


def test_what_is_filled_or_compared_with_a_number_is_passed_by_none():
    padding = [[0, 0], [1, 1], [1, 1], [0, 0]]
    for build in (
        lambda x: ops.pad(x, padding, constant_values=1),
        lambda x: ops.max(x, 1, initial=1.0),
        lambda x: ops.mean(x, 1),
        lambda x: x * x,
    ):
        assert not passes_values_through(*last_call(build))


@pytest.mark.parametrize("make", IDENTITIES, ids=lambda make: make.__name__)
def test_layers_that_do_nothing_in_inference(make):
    layer = make() if make is layers.Identity else make(0.5)
    assert is_identity_in_inference(layer)
    x = _values({"1D": SEQUENCE, "3D": VOLUME}.get(make.__name__[-2:], IMAGE))
    trains = {"training": False} if layer._call_has_training_arg else {}
    np.testing.assert_array_equal(layer(x, **trains), x)


@pytest.mark.parametrize("layer", [*GLOBAL, *WINDOWS], ids=kind)
def test_averages(layer):
    assert is_average(layer)
    assert keeps_grid(layer) == (layer in WINDOWS)


def test_operations_that_average():
    mean, pool = last_op(lambda x: ops.mean(x, 1)), last_op(lambda x: ops.average_pool(x, 2))
    assert is_average(mean) and is_average(pool)
    assert keeps_grid(pool) and not keeps_grid(mean)


def test_what_joins_tensors():
    assert is_add(layers.Add()) and is_add(last_op(lambda x: x + x))
    for build in (
        lambda x: ops.concatenate([x, x]),
        lambda x: ops.stack([x, x]),
        lambda x: layers.Concatenate()([x, x]),
    ):
        op = last_op(build)
        assert is_concatenation(op) and not is_add(op)
    assert not is_concatenation(layers.Add())


@pytest.mark.parametrize("layer", OTHERS, ids=kind)
def test_what_is_none_of_these(layer):
    for rule in (
        is_convolution,
        is_activation,
        is_add,
        is_concatenation,
        is_average,
        keeps_grid,
        passes_values_through,
        is_identity_in_inference,
    ):
        assert not rule(layer), rule.__name__


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("Add", is_add),
        ("Relu", is_activation),
        ("Max", passes_values_through),
        ("Mean", is_average),
    ],
)
def test_a_layer_of_somebody_s_own_is_no_operation_of_that_name(name, rule):
    assert not rule(type(name, (keras.Layer,), {})())
