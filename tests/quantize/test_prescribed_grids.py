"""Grids that kernels prescribe, and SiLU as files compute it."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers, ops
from quantize_networks import network

from qbench.config.quant import Quant
from qbench.quantize.analysis import analyse
from qbench.quantize.fixed_grid import LOGISTIC, FixedGrid, as_prescribed, prescribed
from qbench.quantize.ranges import RangeAverages
from qbench.quantize.rewrite import rewrite

SHAPE = (4, 4, 2)
DEPLOY = {
    "placement": ("deploy",),
    "op": "fake_quant",
    "weight_range": "symmetric_narrow",
    "granularity": "channel",
    "fold_batch_norm": True,
    "freeze_batch_norm": True,
}
ENDS = {
    "sigmoid": (0.0, 255 / 256),
    "softmax": (0.0, 255 / 256),
    "tanh": (-1.0, 127 / 128),
    "hard_sigmoid": (0.0, 1.0),
}


def scheme(**values):
    return Quant(**{**DEPLOY, **values}).quantization


def activated(name):
    return network(lambda x: layers.Activation(name, name="last")(x), SHAPE)


def quantizer_of(model, tensor, **values):
    plan = analyse(model, scheme(**values))
    return {one.tensor: one.quantizer for one in plan.quantized_tensors}[tensor]


@pytest.mark.parametrize("name", ENDS)
def test_a_grid_has_256_equal_steps_with_0_and_both_ends(name):
    grid = FixedGrid(*ENDS[name])
    low, high = grid.ends
    x = np.linspace(low - 1, high + 1, 5001, dtype=np.float32)
    values = np.unique(grid(tf.constant(x), 0.0, 0.0))
    assert len(values) == 256 and 0 in values
    np.testing.assert_allclose(values[[0, -1]], (low, high), atol=1e-7)
    codes = grid.require_grid()(5.0, 6.0)
    np.testing.assert_allclose(codes.ends, (low, high))
    steps = np.asarray(values, np.float64) / codes.scale
    np.testing.assert_allclose(steps, np.arange(256) - codes.zero_point, atol=1e-4)


@pytest.mark.parametrize("name", ENDS)
def test_a_simulation_of_files_takes_the_grid_of_the_kernel(name):
    model = activated(name)
    assert quantizer_of(model, "last") == FixedGrid(*ENDS[name])
    for values in ({"placement": ("activation",)}, {"bits": 4}, {"bits": 16}):
        found = [one for one in analyse(model, scheme(**values)).quantized_tensors]
        assert not any(isinstance(one.quantizer, FixedGrid) for one in found)


@pytest.mark.parametrize("join", [layers.Add, layers.Concatenate])
def test_a_prescribed_grid_shares_no_range(join):
    def build(x):
        gate = layers.Activation("sigmoid", name="gate")(x)
        return join()([gate, layers.Conv2D(2, 1, name="b")(x), layers.Conv2D(2, 1, name="c")(x)])

    model = network(build, SHAPE)
    assert quantizer_of(model, "gate", tie_inputs=True) == LOGISTIC
    tied = analyse(model, scheme(tie_inputs=True)).shared_ranges
    assert "gate" not in tied and {"b", "c"} <= set(tied["b"])
    assert "gate" in analyse(model, scheme(tie_inputs=True, bits=4)).shared_ranges


def test_passed_on_values_stay_on_the_grid():
    def build(x):
        gate = layers.Activation("sigmoid", name="gate")(layers.GlobalAveragePooling2D()(x))
        return x * layers.Reshape((1, 1, 2), name="shaped")(gate)

    plan = analyse(network(build, SHAPE), scheme())
    found = {one.tensor: one.quantizer for one in plan.quantized_tensors}
    assert found["gate"] == LOGISTIC and "shaped" not in found


def test_an_average_of_one_value_stays_on_the_grid_in_a_simulation_of_files():
    def build(x):
        x = layers.Conv2D(2, 4, name="conv")(x)
        mean = layers.GlobalAveragePooling2D(keepdims=True, name="mean")(x)
        return layers.Conv2D(2, 1)(mean)

    model = network(build, SHAPE)
    for placement, on_grid in ("deploy", "conv"), ("conv", "mean"):
        plan = analyse(model, scheme(placement=(placement,)))
        found = {one.tensor for one in plan.quantized_tensors}
        assert found & {"conv", "mean"} == {on_grid}, placement
        assert {"conv", "mean"} <= set(plan.tensors)


def test_what_files_leave_out_keeps_the_grid_in_a_simulation_of_files():
    def build(x):
        x = layers.ReLU(name="relu")(layers.Conv2D(4, 3, name="conv")(x))
        y = layers.Dropout(0.2, name="dropout")(x)
        y = layers.GaussianNoise(0.1, name="gaussian_noise")(y)
        return layers.Concatenate(name="joined")([layers.Conv2D(4, 1, name="c")(y), x])

    model = network(build, SHAPE)
    for placement, quantized in ("deploy", {"relu"}), ("conv", {"gaussian_noise"}):
        plan = analyse(model, scheme(placement=(placement,)))
        found = {one.tensor for one in plan.quantized_tensors}
        assert found & {"relu", "dropout", "gaussian_noise"} == quantized, placement
        assert {"relu", "gaussian_noise"} <= set(plan.tensors)


def test_what_files_leave_out_is_tied_by_the_grid_that_it_keeps():
    """`lin` has a grid because of the addition, so that what is behind the dropout is on it."""

    def build(x):
        lin = layers.Conv2D(2, 3, padding="same", name="lin")(x)
        dropped = layers.Dropout(0.5, name="drop")(lin)
        added = layers.Add()([lin, layers.Conv2D(2, 3, padding="same", name="other")(x)])
        return layers.Concatenate(name="cat")([dropped, layers.ReLU(name="r")(added)])

    plan = analyse(network(build, SHAPE), scheme(tie_inputs=True))
    assert "drop" not in {one.tensor for one in plan.quantized_tensors}
    assert "drop" not in plan.shared_ranges
    assert {"lin", "r", "cat"} <= set(plan.shared_ranges["lin"])


def test_an_average_of_one_value_is_tied_by_the_grid_that_it_keeps():
    def build(x):
        conv = layers.Conv2D(2, 4, activation="relu", name="conv")(x)
        mean = layers.GlobalAveragePooling2D(keepdims=True, name="mean")(conv)
        return layers.Concatenate(name="cat")([mean, layers.Conv2D(2, 4, name="b")(x)])

    tied = analyse(network(build, SHAPE), scheme(tie_inputs=True)).shared_ranges
    assert "mean" not in tied and {"conv", "b", "cat"} <= set(tied["conv"])


def test_slopes_of_a_relu_are_on_a_symmetric_grid_of_8_bits():
    slopes = np.array([[[0.25, -1.5]]], np.float32)

    def build(x):
        return layers.PReLU(keras.initializers.Constant(slopes), shared_axes=[1, 2], name="p")(x)

    model = network(build, SHAPE)
    x = np.random.default_rng(1).normal(size=(8, *SHAPE)).astype(np.float32)
    view = rewrite(model, None)
    averages = RangeAverages(view.tensors, 0.9)
    averages.include(view.model([x])[1])
    got = rewrite(model, scheme(bits=4), averages)
    assert [one.tensor for one in got.insertions] == ["image", "p slopes", "p"]
    for placement in ("conv", "activation"):
        other = rewrite(model, scheme(placement=(placement,)), averages)
        assert "p slopes" not in [one.tensor for one in other.insertions]
    step = np.float32(1.5 / 127)
    model.layers[-1].alpha.assign(np.round(slopes / step) * step)
    expected = rewrite(model, scheme(bits=4), averages).model([x], training=False)[0]
    model.layers[-1].alpha.assign(slopes)
    np.testing.assert_allclose(got.model([x], training=False)[0], expected, atol=1e-6)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(got.model([x], training=True)[0])
    assert np.all(np.asarray(tape.gradient(loss, model.layers[-1].alpha.value)) != 0)


class OwnActivation(layers.Activation):
    """Its call may compute anything."""


def test_a_layer_of_somebody_s_own_prescribes_nothing():
    assert prescribed(layers.Activation("sigmoid")) == LOGISTIC
    assert prescribed(OwnActivation("sigmoid")) is None and prescribed(None) is None
    measured = scheme().activation
    assert as_prescribed(OwnActivation("sigmoid"), measured) is measured


def test_silu_has_its_logistic_function_on_a_grid():
    model = network(lambda x: ops.silu(x), SHAPE)
    name = model.operations[-1].name
    view = rewrite(model, None)
    averages = RangeAverages(view.tensors, 0.9)
    x = np.random.default_rng(1).normal(size=(8, *SHAPE)).astype(np.float32)
    averages.include(view.model([x])[1])
    got = rewrite(model, scheme(), averages)
    assert [one.tensor for one in got.insertions] == ["image", f"{name} gate", name]
    row = [float(end) for end in averages.averages[0]]
    image = np.asarray(scheme().activation(tf.constant(x), *row))
    gate = np.clip(np.floor(256 / (1 + np.exp(-image)) + 0.5), 0, 255) / 256
    row = [float(end) for end in averages.averages[1]]
    expected = scheme().activation(tf.constant(image * gate.astype(np.float32)), *row)
    np.testing.assert_allclose(got.model([x], training=False)[0], expected, atol=1e-6)


@pytest.mark.parametrize("values", [{"placement": ("activation",)}, {"bits": 16}], ids=str)
def test_silu_is_one_function_where_no_file_is_simulated(values):
    plan = analyse(activated("silu"), scheme(**values))
    assert plan.calls[-1].stand_in is None


def test_the_gradient_passes_through_the_gate():
    view = rewrite(activated("silu"), None)
    averages = RangeAverages(view.tensors, 0.9)
    x = tf.constant(np.random.default_rng(1).normal(size=(8, *SHAPE)).astype(np.float32))
    averages.include(view.model([x])[1])
    model = rewrite(activated("silu"), scheme(), averages).model
    with tf.GradientTape() as tape:
        tape.watch(x)
        total = tf.reduce_sum(model([x], training=False)[0])
    with tf.GradientTape() as plain:
        plain.watch(x)
        wanted = tf.reduce_sum(keras.activations.silu(x))
    got, expected = tape.gradient(total, x), plain.gradient(wanted, x)
    assert np.median(np.abs(got - expected)) < 0.02
