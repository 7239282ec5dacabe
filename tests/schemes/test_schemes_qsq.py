"""Quality-scalable kernels: the bits of the reference, what training changes, what is refused."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from qbench.base.errors import QbenchError
from qbench.codes.scalable import coded
from qbench.codes.shift_codec import fixed, pack, unpack
from qbench.codes.threshold_search import DELTAS, GAMMAS, search
from qbench.codes.thresholds import Thresholds
from qbench.config.quant import Quant
from qbench.deploy.scalable_codes import codes_of_network, costs
from qbench.engine.exporting import refuse_schemes
from qbench.models import MODELS
from qbench.planning.factors import cells
from qbench.quantize.traits import kernels
from qbench.schemes import SCHEMES
from qbench.schemes.scalable_kernel import DELTA, GAMMA, ScalableKernel
from qbench.tasks.classification import Classification
from qbench.testing import networks
from qbench.training.network import Network

LAYERS: dict[str, tuple[Any, tuple[int, ...], tuple[int, ...]]] = {
    # The layer, its input, the form of its kernel: places, channels, filters.
    "convolution": (lambda: layers.Conv2D(6, 3), (5, 5, 7), (3, 3, 7, 6)),
    "one channel": (lambda: layers.Conv2D(9, 2), (5, 5, 1), (2, 2, 1, 9)),
    "sequence": (lambda: layers.Conv1D(4, 3), (9, 8), (3, 8, 4)),
    "depthwise": (lambda: layers.DepthwiseConv2D(3, depth_multiplier=2), (5, 5, 3), (3, 3, 1, 6)),
    "transposed": (lambda: layers.Conv2DTranspose(4, 2), (5, 5, 9), (2, 2, 9, 4)),
    "dense": (lambda: layers.Dense(5), (11,), (11, 5)),
}


def _layer(name: str) -> tuple[Any, Any]:
    made, shape, _ = LAYERS[name]
    layer = made()
    layer.build((None, *shape))
    (kernel,) = kernels(layer)
    value = np.random.default_rng(0).normal(size=kernel.shape).astype(np.float32)
    value[..., 0] *= np.float32(1e-3)
    value.reshape(-1)[::7] = 0
    kernel.assign(value)
    return layer, kernel


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("along", ["channels", "filters"])
def test_a_step_computes_the_bits_of_the_reference(name: str, along: str) -> None:
    layer, kernel = _layer(name)
    value = kernel.numpy()
    for phi, length, scale in (
        *((phi, 4, "least_squares") for phi in (1, 2, 4)),
        *((4, length, "equation_9") for length in (2, 5, None)),
    ):
        how = ScalableKernel(phi, length, along, scale, "none")
        form, cut = how.cut(layer, kernel)
        assert form.shape == LAYERS[name][2]
        np.testing.assert_array_equal(form.back(form.of(value)), value)
        found = how.with_state({GAMMA: np.float32(0.35), DELTA: np.float32(1.6)})
        with tf.GradientTape() as tape:
            y = found(layer, kernel, kernel.value)
            total = tf.reduce_sum(y * value)
        expected = coded(form.of(value), cut, phi, scale, Thresholds(0.35, 1.6)).kernel
        np.testing.assert_array_equal(y, form.back(expected))
        np.testing.assert_array_equal(tape.gradient(total, kernel.value), value)


def test_a_compiled_graph_computes_the_same_bits() -> None:
    layer, kernel = _layer("convolution")
    how = ScalableKernel(4, 4, "channels", "least_squares", "none")
    how = how.with_state({GAMMA: tf.constant(0.35), DELTA: tf.constant(1.6)})
    compiled = tf.function(lambda x: how(layer, kernel, x))
    np.testing.assert_array_equal(compiled(kernel.value), how(layer, kernel, kernel.value))


def test_the_values_across_channels_of_a_transposed_kernel_share_a_scale() -> None:
    layer, kernel = _layer("transposed")
    how = ScalableKernel(1, None, "channels", "least_squares", "none")
    y = how.with_state({GAMMA: 0.2, DELTA: 1.0})(layer, kernel, kernel.value).numpy()
    for row in y.reshape(-1, 9):  # (height, width, filters, channels)
        assert len(np.unique(np.abs(row[row != 0]))) <= 1


class _Trained:
    """The small network with this scheme: two float steps, the phase, four of its steps."""

    def __init__(self, retrain: str, **arguments: Any) -> None:
        scheme = {"name": "qsq", "retrain": retrain, "length": 4, **arguments}
        quant = {"freeze_batch_norm": True, "activation_bits": "float"}
        with MODELS.lent("scalable_network", networks.small):
            chosen = networks.experiment("scalable_network", {}, 6, 2, scheme, quant)
            pixels = networks.images(networks.SHAPE)
            data = networks.dataset(pixels, np.arange(len(pixels)) % 4, Classification(4))
            self.network, self.scheme = Network(chosen, data), chosen.scheme
            self.network.initialise(0)
        self.before = self.weights()
        assert self.scheme is not None
        self.network.enter(self.scheme, ("quantized",), 0, 2)
        self.entered = self.weights()
        step = self.network.step_in(self.scheme, "quantized")
        for number in range(2, 6):
            step(np.arange(8) + number, np.int64(0), np.int64(number))
        self.after = self.weights()

    def weights(self) -> dict[str, Any]:
        return {weight.path: weight.numpy() for weight in self.network.model.weights}

    def changed(self) -> set[str]:
        """The weights that the steps of the phase changed."""
        pairs = ((name, value, self.entered[name]) for name, value in self.after.items())
        return {name for name, value, before in pairs if not np.array_equal(value, before)}

    def quantized(self) -> dict[str, Any]:
        """By kernel: what the finished network computes with."""
        assert self.scheme is not None
        found = {}
        for layer, kernel, _ in self.network.applied(self.scheme).quantized_kernels():
            state = self.network.states(self.scheme).of_kernel(layer, kernel)
            quantizer = self.scheme.quantization.kernel.with_state(state.tensors())
            found[kernel.path] = quantizer(layer, kernel, kernel.value).numpy()
        return found


@pytest.fixture(scope="module")
def dense() -> _Trained:
    return _Trained("dense")


def _reference(value: Any, trained: _Trained) -> Any:
    assert trained.scheme is not None
    how = trained.scheme.quantization.kernel
    assert isinstance(how, ScalableKernel)
    cut = how.cut(keras.layers.Conv2D(1, 1), keras.Variable(value))[1]
    best = search(value, cut, how.phi, how.scale).thresholds
    assert best.gamma in GAMMAS and best.delta in DELTAS
    return coded(value, cut, how.phi, how.scale, best).kernel


def test_dense_layers_alone_are_trained(dense: _Trained) -> None:
    conv, head = "conv/kernel", "head/kernel"
    np.testing.assert_array_equal(dense.entered[conv], _reference(dense.before[conv], dense))
    np.testing.assert_array_equal(dense.entered[head], dense.before[head])
    changed = dense.changed()
    assert changed == {"head/kernel", "head/bias"}
    found = dense.quantized()
    np.testing.assert_array_equal(found[conv], dense.after[conv])
    sizes = np.unique(np.abs(found[head][:, 0]))  # four values of one scale
    assert len(sizes) <= 4 and not np.array_equal(found[head], dense.after[head])


def test_all_layers_are_trained_with_codes_of_each_step() -> None:
    trained = _Trained("all", gamma=0.25, delta=1.5, scale="equation_9", phi=2)
    assert trained.changed() > {"conv/kernel", "head/kernel"}
    for name, value in trained.before.items():
        np.testing.assert_array_equal(trained.entered[name], value)
    for path, found in trained.quantized().items():
        value = trained.after[path]
        assert trained.scheme is not None
        how: Any = trained.scheme.quantization.kernel
        cut = how.cut(keras.layers.Conv2D(1, 1), keras.Variable(value))[1]
        expected = coded(value, cut, 2, "equation_9", Thresholds(0.25, 1.5)).kernel
        np.testing.assert_array_equal(found, expected)


def test_codes_of_a_finished_network_are_those_it_computes_with(dense: _Trained) -> None:
    found = codes_of_network(dense.network.applied(dense.scheme))
    expected = dense.quantized()
    assert list(found) == ["conv/kernel", "head/kernel"] == list(expected)
    for path, codes in found.items():
        np.testing.assert_array_equal(codes.kernel.reshape(expected[path].shape), expected[path])
    cost = costs(found)
    assert (cost.weights, cost.scales) == (36 + 16, 9 + 4)
    zeros = sum(np.count_nonzero(value == 0) for value in expected.values())
    assert cost.zeros == pytest.approx(zeros / 52)
    assert cost.energy == pytest.approx(1 - (3 * 52 + 32 * 13) / (32 * 52))
    content = pack([fixed(one) for one in found.values()])
    assert cost.file_bytes == len(content) and cost.compression == 1 - len(content) / 208
    for one, path in zip(unpack(content), expected, strict=True):
        values = expected[path]
        np.testing.assert_allclose(one.kernel.reshape(values.shape), values, rtol=1e-6)


def test_bits_of_the_scales_are_counted(dense: _Trained) -> None:
    # Four filters of 3 x 3 on one channel: a vector across filters for each place. The dense kernel
    # has four inputs: a vector for each output.
    assert dense.network.applied(dense.scheme).side_bits() == 32 * (9 + 4)


@pytest.mark.parametrize(
    ("quant", "retrain", "sentence"),
    [
        ({"delay": 0.5}, "nothing", "quant.delay=0.5: quant.scheme.retrain=nothing trains no quan"),
        ({"delay": 1.0}, "all", "quant.delay=1: quant.scheme.retrain=all needs quantized steps"),
        ({"delay": 0.5}, "dense", "quant.freeze_batch_norm=false: quant.scheme.retrain=dense keep"),
        ({"fold_batch_norm": True}, "nothing", "quant.fold_batch_norm=true: qsq codes the kernels"),
        (
            {"placement": ("add",), "delay": 1.0},
            "nothing",
            "quant.placement=[add]: quant/scheme=",
        ),
    ],
)
def test_settings_without_meaning_are_refused(quant: Any, retrain: str, sentence: str) -> None:
    said = SCHEMES["qsq"].impossible("qsq", Quant(**quant), {"retrain": retrain})
    assert said is not None and said.startswith(sentence) and said.endswith(".")
    assert SCHEMES["qsq"].impossible("qsq", Quant(delay=1.0), {}) is None


@pytest.mark.parametrize(
    ("argument", "value", "expected"),
    [
        ("phi", 3, "1, 2 or 4"),
        ("length", 0, "a whole number of at least 1"),
        ("length", "whole", "depth or whole number from 1"),
        ("along", "rows", "channels or filters"),
        ("scale", "mean", "equation_9 or least_squares"),
        ("gamma", 1.5, "a number from 0 to 1"),
        ("delta", 0.5, "a number of at least 1"),
        ("retrain", "convolutions", "nothing, dense or all"),
    ],
)
def test_arguments_that_are_not_allowed(argument: str, value: Any, expected: str) -> None:
    with pytest.raises(QbenchError, match=rf"^quant\.scheme\.{argument}={value} .*{expected}"):
        SCHEMES["qsq"].check("quant.scheme", "qsq", {argument: value})


def test_bits_of_weights_are_those_of_phi() -> None:
    for phi, bits in ((1, 2), (2, 3), (4, 3)):
        scheme, quant = {"name": "qsq", "phi": phi}, {"activation_bits": "float"}
        chosen = networks.experiment("resnet8", {}, 6, 6, scheme, quant)
        assert chosen.quant.quantization is not None
        assert chosen.quant.bits_of_weights == chosen.quant.quantization.weight_bits == bits
        assert cells(chosen)["bits"] == f"w{bits}/float"


def test_numbers_and_their_texts_are_the_same_argument() -> None:
    kind = SCHEMES["qsq"]
    for given in ({"length": 8, "gamma": 0.25}, {"length": "8", "gamma": "0.25"}):
        kind.check("quant.scheme", "qsq", given)
        found = kind.arguments(given)
        assert (found["length"], found["gamma"], found["delta"]) == ("8", "0.25", "search")
    assert kind.arguments({"gamma": 1, "phi": 2.0}) == kind.arguments({"gamma": "1.0", "phi": 2})


def test_a_sweep_is_converted_if_files_can_hold_some_of_its_schemes() -> None:
    def made(name: str, **quant: Any) -> Any:
        given = {"activation_bits": "float", **quant}
        return networks.experiment("resnet8", {}, 6, 6, {"name": name}, given)

    coded, plain, powers = made("qsq"), made("uniform", enabled=False), made("inq", bits=4)
    refuse_schemes([plain, coded, powers])
    refuse_schemes([plain])
    with pytest.raises(
        QbenchError, match=r"^deploy\.enabled=true: quant\.scheme\.name=qsq: LiteRT"
    ):
        refuse_schemes([plain, coded, made("few_digits")])
