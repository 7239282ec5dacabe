"""What the analysis says stands in for the calls of layers: folded, fused, held in inference."""

from __future__ import annotations

import keras
import pytest
from keras import layers
from quantize_networks import network, scheme
from quantize_plans import DEPLOY, planned, reads, stand_ins

from qbench.quantize.analysis import analyse
from qbench.quantize.insertion_plan import FoldedAway, Fused, HeldInInference, QuantizedKernel


def two_readers(image):
    """A normalization that two layers read, and a convolution that two layers read."""
    x = layers.BatchNormalization(name="n")(layers.Conv2D(4, 3, padding="same", name="c")(image))
    y = layers.Conv2D(4, 1, name="d")(x)
    z = layers.Add(name="s")([layers.BatchNormalization(name="m")(y), y])
    return layers.Dense(3, name="l")(layers.Flatten(name="f")(layers.Add(name="t")([z, x])))


@pytest.mark.parametrize("freeze", [False, True])
def test_a_folded_normalization_with_two_readers(freeze):
    model = network(two_readers)
    plan = analyse(model, scheme(**DEPLOY, fold_batch_norm=True, freeze_batch_norm=freeze))
    found, quantizer = stand_ins(plan), plan.kernels["c"][1]
    norm = model.get_layer("n")
    assert plan.folds == {"c": norm}
    assert found["c"] == QuantizedKernel("c.kernel.quantized", quantizer, norm, freeze)
    assert found["n"] == FoldedAway("c")
    # m is not the only reader of d
    assert found["d"] == QuantizedKernel("d.kernel.quantized", quantizer)
    assert found["m"] == Fused("m.fused", freeze)
    assert reads(plan, "n") == [("c", None)]
    assert reads(plan, "d") == [("n", "n.quantized")]
    assert reads(plan, "t") == [("s", "s.quantized"), ("n", "n.quantized")]
    assert "c" not in plan.tensors and "n" in plan.tensors


def test_normalization_of_a_float_kernel_is_not_folded():
    plan = planned(two_readers, **DEPLOY, fold_batch_norm=True, first_last="float")
    assert plan.folds == {}
    assert isinstance(stand_ins(plan)["n"], Fused)


def twice(image):
    convolution = layers.Conv2D(2, 3, padding="same", name="shared")
    norm = layers.BatchNormalization(name="norm")
    for name in ("first", "second"):
        image = layers.ReLU(name=name)(norm(convolution(image)))
    return layers.Dense(3, name="logits")(layers.Flatten(name="flat")(image))


def test_layers_that_are_called_twice():
    plan = planned(twice, **DEPLOY, fold_batch_norm=True)
    assert plan.folds == {}  # both calls would share one kernel's statistics
    calls = [call for call in plan.calls if call.op.name in ("shared", "norm")]
    assert [(call.stand_in.layer, call.makes) for call in calls] == [
        ("shared.kernel.quantized", ("shared",)),
        ("norm.fused", ("norm",)),
        ("shared.kernel.quantized.2", ("shared.2",)),
        ("norm.fused.2", ("norm.2",)),
    ]
    assert reads(plan, "shared", call=0) == [("image", "image.quantized")]
    assert reads(plan, "shared", call=1) == [("first", "first.quantized")]
    kernels = [one.layer for one in plan.insertions if one.tensor == "shared kernel"]
    assert kernels == ["shared.kernel.quantized", "shared.kernel.quantized.2"]
    assert list(plan.kernels) == ["shared", "logits"]


def told(image):
    x = layers.RandomFlip(name="flip")(image, training=False)
    x = layers.BatchNormalization(name="fused")(layers.Conv2D(2, 1, name="c")(x), training=False)
    x = layers.Reshape((16, 8), name="rows")(x)
    return layers.Dense(3)(layers.BatchNormalization(name="held")(x, training=False))


def test_layers_that_are_told_to_infer():
    found = stand_ins(analyse(network(told), None))
    assert found["flip"] == HeldInInference("flip.frozen")
    assert found["fused"] == Fused("fused.fused", freeze=True)
    assert found["held"] == HeldInInference("held.frozen")
    folded = stand_ins(planned(told, **DEPLOY, fold_batch_norm=True))
    assert folded["c"].freeze and folded["fused"] == FoldedAway("c")


def test_a_layer_that_is_told_to_train_is_not_held():
    def build(image):
        x = layers.BatchNormalization(name="norm")(image, training=True)
        return layers.GaussianNoise(0.1, name="noise")(x, training=True)

    found = stand_ins(analyse(network(build), None))
    assert found == {"norm": Fused("norm.fused", freeze=False), "noise": None}


def test_only_normalization_is_frozen_and_only_the_one_that_is_told():
    def build(image):
        x = layers.RandomFlip(name="flip")(image, training=False)
        x = layers.BatchNormalization(name="norm")(layers.Conv2D(2, 1, name="c")(x))
        return layers.Dropout(0.5, name="drop")(x)

    model = network(build)
    folded = stand_ins(analyse(model, scheme(**DEPLOY, fold_batch_norm=True)))
    assert not folded["c"].freeze and folded["norm"] == FoldedAway("c")
    frozen = stand_ins(analyse(model, scheme(**DEPLOY, freeze_batch_norm=True)))
    assert frozen["norm"] == Fused("norm.fused", freeze=True) and frozen["drop"] is None


CONVOLUTIONS = [
    (layers.Conv2D(2, 3), {}, (8, 8, 2), True),
    (layers.Conv2D(2, 3), {"axis": 3}, (8, 8, 2), True),
    (layers.Conv2D(2, 3), {"axis": 1}, (8, 8, 2), False),
    (layers.Conv2D(2, 3), {"scale": False, "center": False}, (8, 8, 2), True),
    (layers.Conv2D(2, 3, activation="linear"), {}, (8, 8, 2), True),
    (layers.Conv2D(2, 3, activation="relu"), {}, (8, 8, 2), False),
    (layers.DepthwiseConv2D(3), {}, (8, 8, 2), True),
    (layers.Dense(3), {}, (8,), True),
    (layers.Dense(3), {"axis": 1}, (8,), True),
    (layers.Dense(3), {"axis": 1}, (8, 2), False),
    (layers.Conv1D(2, 3), {}, (8, 2), True),
    (layers.Conv2DTranspose(2, 3), {}, (8, 8, 2), True),
    (layers.SeparableConv2D(2, 3), {}, (8, 8, 2), False),
]


@pytest.mark.parametrize(
    ("convolution", "settings", "shape", "folds"),
    CONVOLUTIONS,
    ids=[f"{type(one[0]).__name__}-{k}" for k, one in enumerate(CONVOLUTIONS)],
)
def test_what_is_folded(convolution, settings, shape, folds):
    def build(image):
        return layers.BatchNormalization(**settings, name="norm")(convolution(image))

    model = network(build, shape)
    plan = analyse(model, scheme(**DEPLOY, fold_batch_norm=True))
    assert plan.folds == ({convolution.name: model.get_layer("norm")} if folds else {})


def masked(image):
    mask = keras.ops.not_equal(image[..., 0], 0.0)
    x = layers.Conv2D(2, 1, name="c")(image)
    x = layers.ReLU(name="relu")(layers.BatchNormalization(name="behind")(x, mask=mask))
    return layers.BatchNormalization(name="alone")(x, mask=mask)


@pytest.mark.parametrize("freeze", [False, True])
def test_masked_values_are_neither_fused_nor_folded(freeze):
    found = stand_ins(planned(masked, **DEPLOY, fold_batch_norm=True, freeze_batch_norm=freeze))
    for name in ("behind", "alone"):
        assert found[name] == (HeldInInference(f"{name}.frozen") if freeze else None)
    assert found["c"].norm is None
