"""Converted files, run by the LiteRT interpreter."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from deploy_examples import DEPLOY, SHAPE, images, measured, network, quant
from keras import layers

from qbench.base.errors import QbenchError
from qbench.deploy.convert import fixed
from qbench.deploy.export import BakedConvolution, export_model
from qbench.deploy.file_kind import kind_of
from qbench.deploy.grids import tensor_grid
from qbench.deploy.lite import KERNELS, LiteFile, convert
from qbench.quantize.rewrite import rewrite
from qbench.quantize.scheme import scheme_of

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
    layers.Conv2DTranspose(4, 3, name="odd"),
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


EXACT = [
    {},
    {"granularity": "tensor"},
    {"op": "qdq_v2", "range_given": True},
    {"op": "qdq_v2", "range_given": True, "signed": False},
    {"first_last": "8"},
    {"tie_inputs": True},
    {"freeze_batch_norm": True},
]


@pytest.mark.parametrize("values", EXACT, ids=str)
def test_a_deploying_configuration_is_the_file(values):
    """Each tensor of the file lies on the grid that the simulation has, and no other does."""
    chosen = quant(**{**DEPLOY, **values})
    assert kind_of(chosen).export == "exact"
    model = network()
    averages = measured(model)
    graph, left_float = export_model(model, averages, chosen)
    assert left_float == []
    view = rewrite(model, fixed(chosen), averages)
    expected = view.model(images(), training=False)[0].numpy()
    np.testing.assert_allclose(graph(images(), training=False), expected, rtol=1e-5, atol=1e-5)
    file = LiteFile(convert(graph, "int8"), "reference")
    apart = np.abs(file.outputs(images()) - expected) / file.output_step()
    assert apart.max() < 4.5
    assert apart.mean() < 0.5


def test_the_file_quantizes_the_tensors_that_the_simulation_does():
    """The file has the simulated grids and no others (max pooling passes one on)."""
    chosen, model = quant(**DEPLOY), network()
    averages = measured(model)
    graph, _ = export_model(model, averages, chosen)
    file = LiteFile(convert(graph, "int8"), "builtin")
    view = rewrite(model, fixed(chosen), averages)
    simulated = [one.root for one in view.insertions if not one.is_kernel]
    rows = dict(zip(averages.tensors, averages.averages.numpy(), strict=True))
    grids = [
        tensor_grid(*map(float, rows[name]), scheme_of(chosen).activation) for name in simulated
    ]
    found = sorted(set(file.activation_grids()))
    assert len(found) == len(simulated) == 7
    for (scale, zero_point), grid in zip(found, sorted(grids, key=lambda g: g.scale), strict=True):
        assert scale == pytest.approx(grid.scale, rel=1e-5)
        assert zero_point == grid.zero_point


NOT_EXACT = [
    {"bits": 4},
    {"weight_bits": 4},
    {"first_last": "float"},
    {"fold_batch_norm": False},
    {"weight_range": "op"},
    {"weight_range": "narrow"},
    {"placement": ("deploy", "add")},
    {"op": "qdq_v2"},
]


@pytest.mark.parametrize("values", NOT_EXACT, ids=str)
def test_what_the_file_cannot_be_exactly_is_called_approximate(values):
    chosen = quant(**{**DEPLOY, **values})
    assert kind_of(chosen).export == "approximate"


def depthwise(image):
    x = layers.DepthwiseConv2D(3, padding="same", use_bias=False, depth_multiplier=2)(image)
    x = layers.ReLU(6.0)(layers.BatchNormalization()(x))
    x = layers.Conv2D(4, 1, use_bias=False)(x)
    x = layers.ReLU(6.0)(layers.BatchNormalization()(x))
    return layers.Dense(5)(layers.GlobalAveragePooling2D()(x))


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


def joined(image):
    """Sums and concatenations that nobody but a pool reads, and a pool that is concatenated."""
    x = layers.Conv2D(4, 3, padding="same", name="left")(image)
    y = layers.Conv2D(4, 1, name="right")(image)
    z = layers.AveragePooling2D(3, 1, padding="same", name="pool")(layers.Add(name="sum")([x, y]))
    x = layers.Concatenate(name="both")([z, layers.Conv2D(3, 1, name="third")(image)])
    return layers.Dense(5, name="logits")(layers.GlobalAveragePooling2D(name="mean")(x))


@pytest.mark.parametrize("values", [{}, {"tie_inputs": True}], ids=str)
def test_every_tensor_of_a_network_with_other_joins_has_a_grid(values):
    chosen, model = quant(**DEPLOY, **values), network(joined)
    averages = measured(model)
    assert {"sum", "both", "third"} <= set(averages.tensors)
    graph, left_float = export_model(model, averages, chosen)
    assert left_float == []
    file = LiteFile(convert(graph, "int8"), "reference")
    assert file.dtypes() == {"int8", "int32"}
    expected = rewrite(model, fixed(chosen), averages).model(images(), training=False)[0].numpy()
    assert np.abs(file.outputs(images()) - expected).max() <= 4.5 * file.output_step()


KINDS = [
    ({"enabled": False}, "float", "float", ""),
    ({}, "int8", "approximate", ""),
    ({"bits": 4}, "int8", "approximate", "values of 4 bits in an int8 file"),
    ({"bits": 9}, "16x8", "approximate", "weights of 9 bits on 8"),
    ({"bits": 16}, "16x8", "approximate", "weights of 16 bits on 8"),
    ({"bits": 32}, "float", "float", "no kernels for 32 bits"),
    ({"weight_bits": 3}, "int8", "approximate", "values of 3 (weights) and 8 bits"),
    ({"weight_bits": 16}, "int8", "approximate", "weights of 16 bits on 8"),
    ({"activation_bits": 16}, "16x8", "approximate", "weights of 8 bits"),
]


@pytest.mark.parametrize(("values", "name", "export", "note"), KINDS, ids=str)
def test_kinds(values, name, export, note):
    kind = kind_of(quant(**values))
    assert (kind.name, kind.export) == (name, export)
    assert note in kind.note
    assert kind.file == f"model_{name}.tflite"


def test_shape_of_the_examples():
    assert network().input_shape == (None, *SHAPE)
