"""The packed form of a network."""

from __future__ import annotations

import numpy as np
import pytest
from deploy_examples import measured, network, quant
from keras import layers

from qbench.deploy.baked import BakedConvolution
from qbench.deploy.export import export_model
from qbench.deploy.integer import read_operators
from qbench.deploy.lite import LiteFile, convert
from qbench.deploy.packed import Codes, identical, pack, unpack
from qbench.deploy.packing import contents, packed_file


def values(kernel):
    if not isinstance(kernel, Codes):
        return kernel
    return kernel.scales * (kernel.codes - kernel.zero_point)


SETTINGS = [
    ({}, 8, -128),
    ({"bits": 4}, 4, -8),
    ({"bits": 16}, 16, -(2**15)),
    ({"bits": 1, "range_given": True}, 1, -1),
    ({"bits": 1}, 2, -1),  # measuring its range, the op lets positive values through
    ({"weight_bits": 3, "activation_bits": 12}, 3, -4),
    ({"range_given": True, "signed": False}, 8, 0),
    ({"op": "fake_quant"}, 8, 0),
    ({"op": "fake_quant", "bits": 5}, 5, 0),
    ({"op": "fake_quant", "bits": 16}, 16, 0),
    ({"rounding": "half_up"}, 8, -128),
    ({"placement": ("conv",)}, 8, -128),
    ({"weight_range": "narrow"}, 8, -127),
    ({"weight_range": "narrow", "range_given": True, "bits": 4}, 4, -7),
    ({"op": "fake_quant", "weight_range": "narrow"}, 8, 1),
    ({"op": "fake_quant", "weight_range": "narrow", "bits": 5, "fold_batch_norm": True}, 5, 1),
    ({"weight_range": "symmetric_narrow"}, 8, -127),
    ({"weight_range": "symmetric_narrow", "granularity": "channel", "bits": 4}, 4, -7),
    ({"op": "fake_quant", "weight_range": "symmetric_narrow", "fold_batch_norm": True}, 8, -127),
]


@pytest.mark.parametrize(("chosen", "bits", "lowest"), SETTINGS, ids=str)
def test_codes_stand_for_the_kernels_of_the_simulation(chosen, bits, lowest):
    model = network()
    averages = measured(model)
    packed = contents(model, averages, quant(**chosen))
    graph, _ = export_model(model, averages, quant(**chosen), on_grids=False)
    baked = [one.baked for one in graph.layers if isinstance(one, BakedConvolution)]
    assert len(packed.layers) == len(baked) == 4
    for layer, plain in zip(packed.layers, baked, strict=True):
        assert (layer.kernel.bits, layer.kernel.lowest) == (bits, lowest)
        largest = np.abs(plain.kernel).max()
        np.testing.assert_allclose(values(layer.kernel), plain.kernel, atol=1e-6 * largest)
    assert len(packed.tensors) == len(averages.tensors)
    assert identical(unpack(packed_file(model, averages, quant(**chosen))), packed)


@pytest.mark.parametrize(
    "chosen",
    [{"enabled": False}, {"bits": 32}, {"bits": 17}, {"placement": ("activation",)}],
    ids=str,
)
def test_kernels_without_codes_are_held_as_they_are(chosen):
    model = network()
    averages = measured(model)
    packed = contents(model, averages, quant(**chosen))
    graph, _ = export_model(model, averages, quant(**chosen), on_grids=False)
    baked = [one.baked for one in graph.layers if isinstance(one, BakedConvolution)]
    for layer, plain in zip(packed.layers, baked, strict=True):
        np.testing.assert_array_equal(layer.kernel, plain.kernel)
        np.testing.assert_array_equal(layer.bias, plain.bias)
    assert bool(packed.tensors) == ("placement" in chosen)
    count = sum(layer.kernel.size + layer.bias.size for layer in packed.layers)
    size = len(packed_file(model, averages, quant(**chosen)))
    assert 4 * count < size < 4 * count + 200


def test_unsigned_codes_of_kernels_that_go_below_zero_take_more_bits():
    model = network()
    packed = contents(model, measured(model), quant(signed=False))
    for layer, name in zip(packed.layers, ["stem", "left", "right", "logits"], strict=True):
        kernel = np.asarray(model.get_layer(name).kernel)
        step = kernel.max() / 255
        low, high = layer.kernel.codes.min(), layer.kernel.codes.max()
        assert (low, high) == (round(float(kernel.min() / step)), 255)
        assert layer.kernel.lowest == low
        assert layer.kernel.bits == int(high - low).bit_length() > 8


def test_they_are_held_as_they_are_where_16_bits_are_too_few():
    packed = contents(network(), measured(network()), quant(signed=False, bits=16))
    assert not any(isinstance(layer.kernel, Codes) for layer in packed.layers)


def test_a_kernel_of_zeros():
    model = network()
    model.get_layer("stem").kernel.assign(np.zeros((3, 3, 2, 4)))
    for op in ("qdq_v2", "fake_quant"):
        packed = contents(model, measured(model), quant(op=op, bits=4))
        assert not np.any(values(packed.layers[0].kernel))
        assert identical(unpack(pack(packed)), packed)


def test_codes_and_biases_are_those_of_the_int8_file():
    """All but the lowest code, which the file lacks, and signs that it keeps in the codes."""
    model = network()
    averages = measured(model)
    packed = contents(model, averages, quant())
    content = convert(export_model(model, averages, quant())[0], "int8")
    interpreter = LiteFile(content, "builtin")._interpreter
    interpreter.allocate_tensors()
    ops = [op for op in read_operators(content) if len(op.inputs) == 3]
    for op, layer in zip(ops, packed.layers, strict=True):
        _, kernel, bias = (interpreter.get_tensor(k) for k in op.inputs)
        codes = np.moveaxis(layer.kernel.codes * np.sign(layer.kernel.scales).astype(int), -1, 0)
        np.testing.assert_array_equal(kernel, np.maximum(codes, -127))
        signed = layer.bias * np.sign(layer.kernel.scales).astype(int)
        assert np.abs(bias - signed).max() <= 1


@pytest.mark.parametrize("chosen", [{}, {"op": "fake_quant"}, {"bits": 16}, {"bits": 4}], ids=str)
def test_biases_are_steps_of_input_times_kernel(chosen):
    model = network()
    averages = measured(model)
    packed = contents(model, averages, quant(**chosen))
    graph, _ = export_model(model, averages, quant(**chosen), on_grids=False)
    baked = [one.baked for one in graph.layers if isinstance(one, BakedConvolution)]
    inputs = ["image", "stem_relu", "stem_relu", "mean"]
    for layer, plain, name in zip(packed.layers, baked, inputs, strict=True):
        assert layer.bias.dtype == np.int32
        grid = packed.tensors[averages.tensors.index(name)]
        step = grid.scale * layer.kernel.scales.astype(float)
        assert np.abs(layer.bias * step - plain.bias).max() <= 0.51 * np.abs(step).max()


def test_a_channel_that_normalization_switched_off_keeps_its_bias():
    model = network()
    model.get_layer("stem_bn").gamma.assign([0, 1, 1, 1])
    model.get_layer("stem_bn").beta.assign([2.5, 0, 0, 0])
    layer = contents(model, measured(model), quant()).layers[0]
    assert layer.bias.dtype == np.float32
    assert layer.bias[0] == 2.5
    assert not values(layer.kernel)[..., 0].any()


def test_a_layer_that_is_called_twice_is_held_once():
    def build(image):
        conv = layers.Conv2D(2, 1, name="conv")
        return layers.Dense(3)(layers.Flatten()(layers.Add()([conv(image), conv(conv(image))])))

    model = network(build)
    packed = contents(model, measured(model), quant())
    assert [layer.bias.dtype for layer in packed.layers] == [np.float32, np.int32]


def test_what_is_not_folded_is_held_too():
    def build(image):
        x = layers.BatchNormalization(name="first")(image)
        x = layers.Dropout(0.1)(layers.ReLU()(layers.Conv2D(3, 1)(x)))
        return layers.Dense(3)(layers.Flatten()(x))

    model = network(build)
    others = contents(model, measured(model), quant()).others
    assert len(others) == 4
    for held, weight in zip(others, model.get_layer("first").get_weights(), strict=True):
        np.testing.assert_array_equal(held, weight)


def test_fewer_bits_take_less_room():
    model = network()
    averages = measured(model)
    sizes = [len(packed_file(model, averages, quant(bits=bits))) for bits in (2, 4, 8, 16, 32)]
    assert sizes == sorted(set(sizes))
    codes = sum(layer.kernel.codes.size for layer in contents(model, averages, quant()).layers)
    assert sizes[2] - sizes[1] == pytest.approx(codes / 2, abs=4)


@pytest.mark.parametrize("folds", [False, True])
def test_a_depthwise_kernel_has_its_channels_last(folds):
    def build(image):
        x = layers.DepthwiseConv2D(3, depth_multiplier=2, use_bias=False, name="each")(image)
        x = layers.ReLU()(layers.BatchNormalization()(x))
        return layers.Dense(3)(layers.GlobalAveragePooling2D()(x))

    model = network(build)
    chosen = quant(weight_range="symmetric_narrow", granularity="channel", fold_batch_norm=folds)
    packed = contents(model, measured(model), chosen)
    graph, _ = export_model(model, measured(model), chosen, on_grids=False)
    (plain, _) = [one.baked for one in graph.layers if isinstance(one, BakedConvolution)]
    codes = packed.layers[0].kernel
    assert codes.codes.shape == (3, 3, 4) and codes.scales.shape == (4,)
    np.testing.assert_allclose(values(codes), plain.kernel.reshape(3, 3, 4), rtol=1e-5, atol=1e-6)
