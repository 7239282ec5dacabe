"""Scheme `contrib`: stored kernel ranges, averages, statistics and start, computed once more."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf
from keras import layers
from quantize_networks import averages_of, images, network, scheme
from quantize_reference import debiased_average
from quantize_training import experiment

from qbench.config.quant import Quant
from qbench.data.batches import Batches
from qbench.models import MODELS
from qbench.quantize.analysis import analyse
from qbench.quantize.rewrite import rewrite
from qbench.schemes import SCHEMES
from qbench.tasks.classification import Classification
from qbench.testing import networks
from qbench.training.network import Network

CONTRIB = {
    "op": "fake_quant",
    "placement": ("contrib",),
    "weight_range": "narrow",
    "fold_batch_norm": True,
}
STEPS, START = 6, 3


def fake(x, low, high, first, bits=8):
    """FakeQuantWithMinMaxVars in float64, over a range that is widened to include 0."""
    low, high = min(low, 0.0), max(high, 0.0)
    step = (high - low) / (2**bits - 1 - first)
    zero = np.floor(first - low / step + 0.5)
    return (np.clip(np.floor(x / step + zero + 0.5), first, 2**bits - 1) - zero) * step


@pytest.fixture(scope="module")
def trained():
    """A network in training: the folded kernel before each step, and the ranges stored after it."""
    with MODELS.lent("small", networks.small):
        # ceil(delay x steps) is one step later than the first quantized step of contrib.
        chosen = networks.experiment("small", {}, STEPS, START + 1, {"name": "contrib"}, CONTRIB)
        targets = np.arange(networks.COUNT) % 4
        data = networks.dataset(networks.images(networks.SHAPE), targets, Classification(4))
        made = Network(chosen, data)
        made.initialise(0)
    history = []
    for number in range(STEPS):
        phase = next(one.name for one in chosen.phases if number < one.end)
        if number == chosen.quantization_start:
            made.enter(chosen.scheme, [phase], 0, number)
        read = folded_kernel(made.model)
        step = made.step_in(chosen.scheme, phase)
        indices = Batches(networks.COUNT, 8, 0).indices(number)
        step(indices, tf.constant(0, tf.int64), tf.constant(number, tf.int64))
        history.append((phase, read, made.applied(chosen.scheme).saved()))
    return made, chosen, history


def folded_kernel(model):
    conv, norm = model.get_layer("conv"), model.get_layer("norm")
    sigma = np.sqrt(norm.moving_variance.numpy() + norm.epsilon)
    return conv.kernel.numpy() * (norm.gamma.numpy() / sigma)


def test_a_delay_of_d_steps_has_one_float_step_less(trained):
    _, chosen, history = trained
    assert chosen.quantization_start == START
    assert [name for name, *_ in history] == ["float"] * START + ["quantized"] * (STEPS - START)
    scheme = {"name": "contrib"}
    for delay, first in ((0, 0), (0.4, 139_999), (0.8, 279_999)):
        quant = {**CONTRIB, "scheme": scheme, "delay": delay}
        assert experiment(quant=quant, train={"steps": 350_000}).quantization_start == first


def test_every_quantized_step_stores_the_range_of_the_kernel_that_it_reads(trained):
    _, _, history = trained
    for name, read, saved in history[START:]:
        assert name == "quantized"
        found = [saved[f"kernel:conv/kernel:{end}"] for end in ("low", "high")]
        np.testing.assert_allclose(found, [min(read.min(), 0), max(read.max(), 0)], rtol=1e-6)
    lows = {float(saved["kernel:conv/kernel:low"]) for _, _, saved in history[START:]}
    assert len(lows) == STEPS - START


def test_evaluation_quantizes_over_the_stored_range(trained):
    made, chosen, history = trained
    model, infer = made.model, made.inference(chosen.quantization, chosen.scheme)
    saved, rows = history[-1][2], made.averages.averages.numpy()
    averages = dict(zip(made.averages.tensors, rows, strict=True))
    x = images(5, networks.SHAPE).numpy()
    found = infer(tf.constant(x)).numpy()

    ends = [float(saved[f"kernel:conv/kernel:{end}"]) for end in ("low", "high")]
    norm, head = model.get_layer("norm"), model.get_layer("head")
    kernel = fake(folded_kernel(model), *ends, first=1)
    shift = norm.beta.numpy() - norm.moving_mean.numpy() * norm.gamma.numpy() / np.sqrt(
        norm.moving_variance.numpy() + norm.epsilon
    )
    y = tf.nn.conv2d(x, tf.constant(kernel, tf.float32), 1, "SAME").numpy() + shift
    y = fake(np.maximum(y, 0), *averages["relu"], first=0).mean((1, 2))
    ends = [float(saved[f"kernel:head/kernel:{end}"]) for end in ("low", "high")]
    y = y @ fake(head.kernel.numpy(), *ends, first=1) + head.bias.numpy()
    step = np.ptp(np.append(averages["head"], 0)) / 255
    # Float32 rounding may move a value across a tie by a step, and that of the ReLU a little.
    np.testing.assert_allclose(found, fake(y, *averages["head"], first=0), atol=1.01 * step)
    assert np.mean(np.abs(found - fake(y, *averages["head"], first=0)) < 0.01 * step) > 0.7

    # A kernel that has grown since is clamped to the stored range.
    kept = head.kernel.numpy()
    head.kernel.assign(1000 * kept)
    quantizer = analyse(model, chosen.quantization).kernels["head"][1]
    state = made.applied(chosen.scheme).states.of_kernel(head, head.kernel)
    stored = quantizer.with_state(state.arrays())
    clamped = stored(head, head.kernel, head.kernel.value).numpy()
    (grid,) = stored.grids(head, head.kernel, head.kernel.numpy())
    head.kernel.assign(kept)
    assert (grid.lowest, grid.count) == (1, 255)
    assert grid.scale == pytest.approx((ends[1] - ends[0]) / 254)
    assert np.abs(clamped).max() <= max(-ends[0], ends[1]) + grid.scale


def test_logits_are_quantized_by_widened_and_then_averaged_ranges():
    """Three batches whose ranges lie on both sides of 0; decay 0.5."""

    def build(image):
        return layers.Dense(1, name="logits")(layers.Flatten()(image))

    model = network(build, (2, 1, 1))
    dense = model.get_layer("logits")
    dense.kernel.assign([[1.0], [-0.5]])
    averages = averages_of(model, decay=0.5)
    view = rewrite(model, scheme(**CONTRIB), averages).model
    kernel = fake(dense.kernel.numpy().astype(np.float64), -0.5, 1.0, first=1)
    measured = []
    for shift in (3.0, -2.0, 0.5):
        x = np.float32([[[[shift]], [[0.25]]], [[[shift + 1]], [[-0.75]]], [[[shift + 2]], [[1]]]])
        found, ranges = view([x], training=True)
        averages.include(ranges)
        y = x.reshape(3, 2).astype(np.float64) @ kernel
        measured.append([min(y.min(), 0), max(y.max(), 0)])
        low, high = debiased_average(np.array(measured), 0.5)[-1]
        np.testing.assert_allclose(found, fake(y, low, high, first=0), atol=1e-5)
        np.testing.assert_allclose(averages.averages.numpy()[-1], [low, high], atol=1e-5)
    assert measured[0][0] == 0 and measured[1][1] < 1 and measured[1][0] < 0


@pytest.mark.parametrize("constant", [True, False])
def test_no_gradient_passes_through_the_statistics_of_a_folded_layer(constant):
    def build(image):
        x = layers.Conv2D(3, 3, use_bias=False, name="conv")(image)
        return layers.Flatten()(layers.BatchNormalization(epsilon=1e-3, name="norm")(x))

    model, x = network(build), images(16)
    fine = scheme(("conv",), op="fake_quant", bits=16, weight_range="narrow", fold_batch_norm=True)
    chosen = replace(fine, activation=None, constant_statistics=constant)
    view = rewrite(model, chosen, averages_of(model)).model
    variable = model.get_layer("conv").kernel
    kernel = variable.numpy()
    weight = tf.random.stateless_normal((16, 6, 6, 3), (1, 2))

    def normalised(kernel):
        y = tf.nn.conv2d(x, kernel, 1, "VALID")
        mean, variance = tf.nn.moments(y, (0, 1, 2))
        if constant:
            mean, variance = tf.stop_gradient(mean), tf.stop_gradient(variance)
        return (y - mean) / tf.sqrt(variance + 1e-3)

    with tf.GradientTape(persistent=True) as tape:
        tape.watch(variable.value)
        ours = tf.reduce_sum(tf.reshape(view([x], training=True)[0], weight.shape) * weight)
        theirs = tf.reduce_sum(normalised(variable.value) * weight)
    np.testing.assert_allclose(ours, theirs, rtol=1e-2)
    found, expected = (tape.gradient(one, variable.value).numpy() for one in (ours, theirs))
    # Rounding may put the kernel's own ends outside the grid, where the op has no gradient.
    inside = (kernel != np.max(kernel)) & (kernel != np.min(kernel))
    largest = np.abs(expected).max()
    np.testing.assert_allclose(found[inside], expected[inside], atol=1e-2 * largest)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"op": "qdq_v2"}, r"quant\.op=qdq_v2: quant/scheme=contrib takes fake_quant"),
        ({"weight_range": "op"}, r"quant\.weight_range=op: .* takes narrow"),
        ({"granularity": "channel"}, r"quant\.granularity=channel: .* takes tensor"),
        ({"bits": 17}, r"quant\.bits=17: fake_quant takes 2 to 16 bits"),
        ({}, None),
    ],
)
def test_settings_that_contrib_quantize_does_not_have(changed, said):
    found = SCHEMES["contrib"].impossible("contrib", Quant(**{**CONTRIB, **changed}), {})
    assert found is None if said is None else re.match(said, found)
