"""Ops that pass the values, the grid or the range of a tensor on."""

from __future__ import annotations

import keras
import pytest
from keras import layers, ops
from quantize_networks import network
from quantize_plans import planned, reads

from qbench.quantize.insertion_plan import Row
from qbench.quantize.tensors import graph_of


def test_an_average_needs_the_range_of_what_it_reads():
    def build(image):
        x = layers.AveragePooling2D(2, name="pool")(layers.Conv2D(2, 1, name="c")(image))
        return layers.GlobalAveragePooling2D(name="mean")(layers.Subtract(name="d")([x, x]))

    assert graph_of(network(build)).gathered == ("image", "c", "d", "mean")


def test_a_grid_survives_two_ops_that_pass_values_through():
    def build(image):
        x = layers.ReLU(name="relu")(image)
        x = layers.MaxPooling2D(2, name="pool")(layers.ZeroPadding2D(1, name="pad")(x))
        return layers.Conv2D(2, 1, name="c")(x)

    plan = planned(build, placement=("activation", "conv"))
    assert reads(plan, "pad") == [("relu", "relu.quantized")]
    assert reads(plan, "pool") == [("pad", None)]
    assert reads(plan, "c") == [("pool", None)]


def behind(layer):
    def build(image):
        x = layers.ReLU(name="relu")(layers.Conv2D(2, 1, name="first")(image))
        return layers.Conv2D(2, 1, name="second")(layer(x))

    return build


def test_an_op_passes_a_grid_on():
    build = behind(layers.MaxPooling2D(name="pool"))
    plan = planned(build, placement=("conv", "activation"))
    assert reads(plan, "pool") == [("relu", "relu.quantized")]
    assert reads(plan, "second") == [("pool", None)]
    (read,) = plan.calls[-1].reads
    assert read.root == "relu"


def test_an_op_passes_values_on_that_lie_on_no_grid_yet():
    """The range is that of the tensor before it, so that of no root."""
    plan = planned(behind(layers.MaxPooling2D(name="pool")), placement=("conv",))
    assert reads(plan, "pool") == [("relu", None)]
    assert reads(plan, "second") == [("pool", "pool.quantized")]
    (one,) = plan.quantized_tensors
    assert one.root == "relu"
    assert one.row == Row(plan.tensors.index("relu"), is_root=False)


def test_an_average_has_the_range_of_its_input_and_new_values():
    build = behind(layers.AveragePooling2D(2, name="pool"))
    plan = planned(build, placement=("conv", "activation"))
    assert reads(plan, "pool") == [("relu", "relu.quantized")]
    assert reads(plan, "second") == [("pool", "pool.quantized")]
    rows = [one.row for one in plan.quantized_tensors]
    assert rows == [Row(1, is_root=True), Row(1, is_root=False)]


def split(image):
    x = layers.ReLU(name="relu")(layers.Conv2D(4, 1, name="first")(image))
    left, right = keras.ops.split(x, 2, axis=-1)
    return layers.Add(name="sum")([layers.Conv2D(2, 1, name="second")(left), right])


def test_every_tensor_of_an_op_passes_a_grid_on():
    plan = planned(split)
    (call,) = [call for call in plan.calls if "split" in call.op.name]
    left, right = call.makes
    assert (left, right) == (call.op.name, f"{call.op.name}.2")
    assert reads(plan, "second") == [(left, None)]
    assert reads(plan, "sum") == [("second", "second.quantized"), (right, None)]
    assert {read.root for read in plan.reads if read.tensor in call.makes} == {"relu"}


JOINS = {
    "concatenation": lambda x, y: layers.Concatenate(name="joined")([x, y]),
    "minimum": lambda x, y: layers.Minimum(name="joined")([x, y]),
}
READERS = {
    "number": lambda x: 0.5 * x,
    "unknown": ops.abs,
    "slopes": layers.LeakyReLU(),
    "product": lambda x: x * layers.Conv2D(x.shape[-1], 1)(x),
    "maximum": lambda x: layers.Maximum()([x, layers.Conv2D(x.shape[-1], 1)(x)]),
    "without a kernel": layers.ELU(),
    "normalization": layers.LayerNormalization(),
    "pool": lambda x: ops.abs(layers.MaxPooling2D(1)(x)),
}


@pytest.mark.parametrize("join", JOINS.values(), ids=JOINS)
@pytest.mark.parametrize("reader", READERS.values(), ids=READERS)
def test_what_is_joined_has_a_range_of_its_own(reader, join):
    """Without one, the converter gives it the grid of one of its parts, which may be too narrow."""

    def build(image):
        x = layers.ReLU()(layers.Conv2D(2, 1)(image))
        return reader(join(x, layers.Conv2D(2, 1)(x)))

    assert "joined" in graph_of(network(build)).gathered


def test_a_relu_of_joined_tensors_needs_no_grid_before_it():
    def build(image):
        return layers.ReLU()(layers.Concatenate(name="joined")([image, image]))

    assert "joined" not in graph_of(network(build)).gathered
