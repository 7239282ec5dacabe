"""What placement `contrib` quantizes; the lists are written by hand from TensorFlow 1's code."""

from __future__ import annotations

from collections import Counter

import keras
import pytest
from keras import layers
from quantize_networks import network, scheme

from qbench.base.errors import QbenchError
from qbench.config.quant import Quant
from qbench.deploy.file_kind import kind_of
from qbench.models import build_model
from qbench.quantize.analysis import analyse
from qbench.tasks.classification import Classification

CONTRIB = {"op": "fake_quant", "weight_range": "narrow", "fold_batch_norm": True}


def planned(build):
    return analyse(network(build), scheme(("contrib",), **CONTRIB))


def tensors(build):
    return [one.tensor for one in planned(build).insertions if not one.is_kernel]


def normalised(x, channels, name, size=1):
    x = layers.Conv2D(channels, size, padding="same", use_bias=False, name=name)(x)
    return layers.BatchNormalization(name=f"{name}_bn")(x)


def residual(image):
    """Two units as slim has them: with a projection, and with a subsampling max pool."""
    x = layers.ReLU(name="stem_relu")(normalised(image, 3, "stem", 3))
    x = layers.MaxPooling2D(name="pool")(x)
    side = normalised(x, 4, "side")
    y = normalised(layers.ReLU(name="a_relu")(normalised(x, 2, "a")), 4, "b")
    x = layers.ReLU(name="unit1")(layers.Add(name="add1")([side, y]))
    y = layers.ReLU(name="c_relu")(normalised(x, 2, "c"))
    y = normalised(layers.MaxPooling2D(1, 2)(layers.ZeroPadding2D(0)(y)), 4, "d")
    x = layers.ReLU(name="unit2")(layers.Add(name="add2")([layers.MaxPooling2D(1, 2)(x), y]))
    x = layers.GlobalAveragePooling2D(name="mean", keepdims=True)(x)
    return layers.Flatten(name="flat")(layers.Conv2D(3, 1, name="logits")(x))


# act_quant: 5 ReLUs, one of the two inputs of add1, logits. conv_quant: the other one, and d_bn.
RESIDUAL = ["stem_relu", "side_bn", "a_relu", "b_bn", "unit1", "c_relu", "d_bn", "unit2", "logits"]
KERNELS = ["stem", "side", "a", "b", "c", "d", "logits"]


def test_a_small_residual_network():
    plan = planned(residual)
    found = [one.tensor for one in plan.insertions if not one.is_kernel]
    assert sorted(found) == sorted(RESIDUAL)
    of_kernels = sorted(one.tensor for one in plan.insertions if one.is_kernel)
    assert of_kernels == sorted(f"{name} kernel" for name in KERNELS)
    assert {quantizer.narrow for _, quantizer in plan.kernels.values()} == {True}
    assert {name: norm.name for name, norm in plan.folds.items()} == {
        name: f"{name}_bn" for name in KERNELS[:-1]
    }
    assert {one.placement for one in plan.insertions} == {"contrib"}


def test_every_reader_gets_the_quantized_tensor():
    reading = {
        (call.op.name, read.tensor): read.quantized is not None
        for call in planned(residual).calls
        for read in call.reads
    }
    quantized = {pair for pair, is_quantized in reading.items() if is_quantized}
    assert {("pool", "stem_relu"), ("add1", "side_bn"), ("add1", "b_bn")} <= quantized
    assert ("add2", "d_bn") in quantized and ("mean", "unit2") in quantized
    floats = {"image", "add1", "add2", "mean"}
    assert not any(tensor in floats for _, tensor in quantized)


def test_the_network_of_the_paper():
    """124 FakeQuants, 54 of them narrow: what TensorFlow 1.13.1 inserted into slim's network."""
    model = build_model("resnet50_v1", {}, (32, 32, 3), Classification(10))
    plan = analyse(model, scheme(("contrib",), **CONTRIB))
    assert len(plan.insertions) == 124
    assert sum(one.is_kernel for one in plan.insertions) == 54
    assert sum(quantizer.narrow for _, quantizer in plan.kernels.values()) == 54
    assert len(plan.folds) == 53
    producers = Counter(
        type(model.get_layer(one.tensor)).__name__ for one in plan.insertions if not one.is_kernel
    )
    assert producers == {"ReLU": 49, "BatchNormalization": 20, "Conv2D": 1}
    adds = [call for call in plan.calls if isinstance(call.op, keras.layers.Add)]
    shortcuts = Counter(
        type(model.get_layer(read.tensor)).__name__ for call in adds for read in call.reads
    )
    assert len(adds) == 16
    assert shortcuts == {"ReLU": 9, "MaxPooling2D": 3, "BatchNormalization": 4 + 16}
    grids = {one.root for one in plan.quantized_tensors}
    assert all(read.root in grids for call in adds for read in call.reads)


def test_an_addition_without_an_activation_is_quantized():
    def build(image):
        x = layers.Conv2D(2, 1, name="a")(image)
        y = layers.ReLU(name="relu")(layers.Conv2D(2, 1, name="b")(x))
        x = layers.Add(name="sum")([x, y])
        return layers.Dense(2, name="logits")(layers.Flatten()(layers.Conv2D(2, 1, name="c")(x)))

    assert tensors(build) == ["a", "relu", "sum", "c", "logits"]


def test_a_sum_that_relu_and_another_layer_read_is_quantized():
    def build(image):
        x = layers.Conv2D(2, 1, name="a")(image)
        x = layers.Add(name="sum")([x, layers.Conv2D(2, 1, name="b")(x)])
        y = layers.Conv2D(2, 1, name="c")(layers.ReLU(name="relu")(x))
        return layers.Dense(2, name="logits")(layers.Flatten()(layers.Add(name="end")([x, y])))

    assert sorted(tensors(build)) == ["a", "b", "c", "end", "logits", "relu", "sum"]


def test_float_tensors():
    """No ReLU behind a normalization that is folded nowhere; no average, no concatenation."""

    def build(image):
        x = layers.ReLU(name="bare")(layers.BatchNormalization(name="first")(image))
        x = layers.Concatenate(name="both")([x, layers.Conv2D(2, 1, name="a")(x)])
        x = layers.AveragePooling2D(2, name="mean")(x)
        return layers.Dense(2, name="logits")(layers.Flatten()(x))

    assert tensors(build) == ["a", "logits"]


def test_activations_inside_layers():
    def build(kind):
        return lambda image: layers.Dense(2, name="logits")(
            layers.Flatten()(layers.Conv2D(2, 1, name="a", activation=kind)(image))
        )

    assert tensors(build("relu")) == ["a", "logits"]
    with pytest.raises(QbenchError, match=r"quant\.placement=contrib: a has the activation silu"):
        planned(build("silu"))


def test_another_activation_is_refused_where_the_tensor_before_it_has_no_range():
    def build(image):
        x = layers.Activation("selu", name="selu")(layers.Conv2D(2, 1, name="a")(image))
        return layers.Dense(2, name="logits")(layers.Flatten()(x))

    with pytest.raises(QbenchError, match=r"quant\.placement=contrib .*a.* range is not gathered"):
        planned(build)


def test_its_file_is_no_exact_one():
    quant = Quant(placement=("contrib",), **CONTRIB)
    assert (kind_of(quant).name, kind_of(quant).export) == ("int8", "approximate")
