"""Converted files, run by the LiteRT interpreter."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from deploy_examples import DEPLOY, SHAPE, depthwise, images, measured, network, quant
from keras import layers

from qbench.base.errors import QbenchError
from qbench.deploy.baked import BakedConvolution
from qbench.deploy.convert import fixed
from qbench.deploy.export import export_model
from qbench.deploy.lite import KERNELS, LiteFile, convert
from qbench.quantize.rewrite import rewrite

INT8 = [
    {"op": "fake_quant", "weight_range": "narrow", "fold_batch_norm": True},
    {},
    {"rounding": "half_up"},
    {"signed": False, "placement": ("conv", "activation")},
    {"range_given": True},
    {"bits": 4},
    {"op": "fake_quant"},
    {"op": "fake_quant", "bits": 3},
    {"placement": ("conv",)},
    {"weight_bits": 4},
]


def file_of(chosen):
    model = network()
    exported, left_float = export_model(model, measured(model), chosen)
    return exported, convert(exported, "int8"), left_float


@pytest.mark.parametrize("values", INT8, ids=str)
def test_an_int8_file_is_integer_throughout_and_agrees(values):
    model, content, _ = file_of(quant(**values))
    chosen = quant(**values)
    expected = model(images(), training=False).numpy()
    # One step for each of the few places where a tie may fall the other way; coarse ones with few
    # bits.
    steps = 4.5 * 2 ** (8 - min(chosen.bits_of_activations, 8))
    for kernels in KERNELS:
        file = LiteFile(content, kernels)
        assert np.abs(file.outputs(images()) - expected).max() <= steps * file.output_step()
    plain = LiteFile(content, "builtin")
    assert plain.dtypes() == {"int8", "int32"}
    assert not {"QUANTIZE", "DEQUANTIZE", "DELEGATE"} & set(plain.operators())
    assert plain.operators() == [
        "CONV_2D", "MAX_POOL_2D", "CONV_2D", "CONV_2D", "ADD", "MEAN", "FULLY_CONNECTED"
    ]  # fmt: skip


def test_tensors_that_only_the_file_quantizes_are_named():
    assert file_of(quant())[2] == ["image", "logits"]
    assert file_of(quant(placement=("conv",)))[2] == [
        "image", "left_bn", "right", "sum_relu", "logits"
    ]  # fmt: skip


def test_kernels_that_the_simulation_left_float_are_named():
    # Of three bits the kernels' grid would be far too coarse for what was trained in float.
    model, _, left_float = file_of(quant(placement=("activation",), bits=3))
    assert "kernels" in left_float
    baked = [layer.baked for layer in model.layers if isinstance(layer, BakedConvolution)]
    assert [one.kernel.ndim for one in baked] == [4, 4, 4, 2]
    for one in baked[:3]:
        ends = np.abs(one.kernel).reshape(-1, one.kernel.shape[-1]).max(axis=0)
        np.testing.assert_allclose(one.ends, ends, rtol=1e-6)
    assert baked[3].ends == pytest.approx(np.abs(baked[3].kernel).max())


@pytest.mark.parametrize("values", INT8, ids=str)
def test_the_converted_graph_computes_what_the_simulation_does(values):
    """All but what the file alone quantizes: an independent path through views and ops."""
    chosen = quant(**values)
    model = network()
    averages = measured(model)
    graph, left_float = export_model(model, averages, chosen)
    view = rewrite(model, fixed(chosen), averages).model
    expected = view(images(), training=False)[0].numpy()
    got = graph(images(), training=False).numpy()
    steps = LiteFile(convert(graph, "int8"), "builtin").output_step()
    worst = 3 + 2 * len(left_float)
    coarse = 2 ** (8 - min(chosen.bits_of_activations, 8))
    assert np.abs(got - expected).mean() < worst * coarse * steps / 2


def of_layer(layer):
    return lambda image: layers.Dense(3)(layers.Flatten()(layer(image)))


REFUSED = [
    layers.EinsumDense("abcd,de->abce", (8, 8, 3), name="odd"),
    layers.SeparableConv2D(4, 3, name="odd"),
]


@pytest.mark.parametrize("layer", REFUSED, ids=lambda layer: type(layer).__name__)
def test_layers_that_cannot_be_converted_are_refused(layer):
    model = network(of_layer(layer))
    with pytest.raises(QbenchError, match=f"odd: a {type(layer).__name__} cannot be converted"):
        export_model(model, measured(model), quant())


def test_a_sequential_model_is_converted():
    stack = [layers.Conv2D(3, 3), layers.ReLU(), layers.Flatten(), layers.Dense(2)]
    model = keras.Sequential([keras.Input(SHAPE, name="image"), *stack])
    graph, _ = export_model(model, measured(model), quant())
    assert LiteFile(convert(graph, "int8"), "builtin").dtypes() == {"int8", "int32"}


def test_dense_kernels_of_few_bits_survive_folding():
    """One scale for all channels, whose factors differ: codes of 4 bits alone would not do."""

    def build(image):
        x = layers.Dense(6, use_bias=False)(layers.Flatten()(image))
        return layers.Dense(3)(layers.ReLU()(layers.BatchNormalization(name="bn")(x)))

    model = network(build)
    model.get_layer("bn").gamma.assign(np.geomspace(0.25, 4, 6))
    graph, _ = export_model(model, measured(model), quant(weight_bits=4, placement=("conv",)))
    plain, _ = export_model(
        model, measured(model), quant(weight_bits=4, placement=("conv",)), False
    )
    apart = graph(images(), training=False) - plain(images(), training=False)
    assert np.abs(apart).mean() < 0.03 * np.abs(plain(images(), training=False)).max()


def test_a_channel_of_zeros_keeps_its_bias():
    def build(image):
        x = layers.BatchNormalization(name="bn")(layers.Conv2D(4, 1, name="conv")(image))
        return layers.Dense(3)(layers.Flatten()(layers.ReLU()(x)))

    model = network(build)
    model.get_layer("bn").gamma.assign([0, 1, 1, 1])
    model.get_layer("bn").beta.assign([2.5, 0, 0, 0])
    graph, _ = export_model(model, measured(model), quant())
    file = LiteFile(convert(graph, "int8"), "reference")
    expected = graph(images(), training=False).numpy()
    assert np.abs(file.outputs(images()) - expected).max() <= 4.5 * file.output_step()


def test_a_float_file_computes_what_the_model_does():
    model = network()
    exported, _ = export_model(model, measured(model), quant(enabled=False), False)
    file = LiteFile(convert(exported, "float"))
    expected = model(images(), training=False)
    np.testing.assert_allclose(file.outputs(images()), expected, rtol=1e-3, atol=1e-3)
    assert file.output_step() == 0


def test_sixteen_bits_with_eight_bit_weights():
    model = network()
    exported, _ = export_model(model, measured(model), quant(enabled=False), False)
    file = LiteFile(convert(exported, "16x8", images()))
    assert {"int16", "int8"} <= file.dtypes() and "float32" not in file.dtypes()
    expected = model(images(), training=False).numpy()
    assert np.abs(file.outputs(images()) - expected).max() < 0.02 * np.abs(expected).max()


@pytest.mark.parametrize("batch", [1, 7, 64])
def test_results_do_not_depend_on_the_batch(batch):
    file = LiteFile(file_of(quant())[1], "reference")
    np.testing.assert_array_equal(file.outputs(images(), batch), file.outputs(images()))


@pytest.mark.parametrize("content", [b"", b"no file", b"\x00" * 4096])
def test_a_foreign_file_is_refused_in_a_sentence(content):
    with pytest.raises(QbenchError, match="not a LiteRT file"):
        LiteFile(content)


def test_a_cut_file_is_refused():
    content = file_of(quant())[1]
    with pytest.raises(QbenchError, match="not a LiteRT file"):
        LiteFile(content[: len(content) // 2])


@pytest.mark.parametrize("values", [{}, DEPLOY, {**DEPLOY, "granularity": "tensor"}], ids=str)
def test_depthwise_convolutions_are_converted(values):
    chosen, model = quant(**values), network(depthwise)
    averages = measured(model)
    graph, _ = export_model(model, averages, chosen)
    content = convert(graph, "int8")
    plain = LiteFile(content, "builtin")
    assert plain.dtypes() == {"int8", "int32"}
    assert plain.operators() == ["DEPTHWISE_CONV_2D", "CONV_2D", "MEAN", "FULLY_CONNECTED"]
    expected = graph(images(), training=False).numpy()
    file = LiteFile(content, "reference")
    assert np.abs(file.outputs(images()) - expected).max() <= 4.5 * file.output_step()


def test_shape_of_the_examples():
    assert network().input_shape == (None, *SHAPE)
