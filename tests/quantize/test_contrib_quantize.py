"""The differences from TensorFlow 1's contrib.quantize and slim that docs/protocol.md states."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
import yaml
from keras import layers
from quantize_networks import averages_of, images, network, scheme
from quantize_training import experiment
from shipped_networks import SHIPPED

import qbench
from qbench.data import load
from qbench.data.batches import Batches
from qbench.models import build_model
from qbench.quantize.analysis import analyse
from qbench.quantize.ranges import RangeAverages
from qbench.quantize.rewrite import rewrite
from qbench.tasks.classification import Classification
from qbench.training.network import Network

ROOT = Path(qbench.__file__).parent.parent
FAKE_QUANT = {"op": "fake_quant"}


def residual():
    """An image, a convolution, an activation, a residual add and logits."""

    def build(image):
        x = layers.ReLU(name="relu")(layers.Conv2D(3, 3, padding="same", name="conv")(image))
        y = layers.Conv2D(3, 3, padding="same", name="branch")(x)
        x = layers.GlobalAveragePooling2D(name="pool")(layers.Add(name="add")([x, y]))
        return layers.Dense(3, name="logits")(x)

    return network(build)


@pytest.mark.parametrize(("delay", "steps"), [(0, 0), (0.4, 140_000), (0.8, 280_000)])
def test_a_delay_of_d_steps_has_d_float_steps(delay, steps):
    chosen = experiment(quant={"delay": delay}, train={"steps": 350_000})
    assert chosen.quantization_start == steps


def test_ranges_begin_at_zero_and_the_first_batch_replaces_them():
    averages = RangeAverages(["a", "b"], 0.999)
    np.testing.assert_array_equal(averages.averages, np.zeros((2, 2)))
    averages.include(tf.constant([[-1.0, 2.0], [0.5, 3.0]]))
    np.testing.assert_allclose(averages.averages, [[-1, 2], [0, 3]], rtol=1e-6)


def test_the_first_quantized_step_sees_the_average_with_its_own_batch():
    averages = RangeAverages(["a"], 0.9)
    for high in (1.0, 2.0):
        averages.include(tf.constant([[0.0, high]]))
    weights = np.array([0.81, 0.9, 1.0])
    expected = (weights @ [1, 2, 4]) / weights.sum()
    np.testing.assert_allclose(averages.after(0, 0.0, 4.0)[1], expected, rtol=1e-6)


def test_kernels_are_quantized_by_the_range_that_they_have_in_evaluation():
    model = residual()
    averages = averages_of(model)
    averages.include(rewrite(model, None).model([images()], training=False)[1])
    view = rewrite(model, scheme(("conv",), op="fake_quant"), averages).model
    kernel = model.get_layer("logits").kernel
    start = kernel.numpy()
    first = view([images()], training=False)[0].numpy()
    kernel.assign(1000 * start)
    # With the old range of about 1 the logits would be clamped.
    assert np.abs(view([images()], training=False)[0]).max() > 500 * np.abs(first).max()


@pytest.mark.parametrize(
    ("weight_range", "values"), [("op", 256), ("narrow", 255), ("symmetric_narrow", 255)]
)
def test_codes_of_kernels(weight_range, values):
    model = network(lambda x: layers.Dense(40, name="dense")(layers.Flatten()(x)), (16, 16, 2))
    plan = analyse(model, scheme(("conv",), weight_range=weight_range, **FAKE_QUANT))
    dense = model.get_layer("dense")
    kernel = np.linspace(-1, 1, dense.kernel.shape.num_elements()).reshape(dense.kernel.shape)
    dense.kernel.assign(kernel)
    _, quantizer = plan.kernels["dense"]
    found = np.unique(np.round(quantizer(dense, dense.kernel, dense.kernel.value), 6))
    assert len(found) == values


@pytest.mark.parametrize(
    ("placement", "expected"),
    [
        (("conv", "activation"), {"relu", "pool"}),
        (("conv", "activation", "add"), {"relu", "pool", "branch"}),
        (("activation",), {"relu"}),
        (("contrib",), {"relu", "branch", "add", "logits"}),
        (("deploy",), {"image", "relu", "pool", "branch", "add", "logits"}),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, tuple) else "",
)
def test_what_is_quantized(placement, expected):
    plan = analyse(residual(), scheme(placement, **FAKE_QUANT))
    assert {one.root for one in plan.quantized_tensors} == expected


@pytest.mark.parametrize("name", SHIPPED)
def test_batch_norm_epsilon(name):
    model = build_model(name, {}, (32, 32, 3), Classification(10))
    found = {one.epsilon for one in model.layers if isinstance(one, layers.BatchNormalization)}
    slim = ("resnet50_v1", "resnet_slim")
    without = ("convnet", "lenet", "vgg16", "vgg_small")
    assert found == (set() if name in without else {1e-5 if name in slim else 1e-3})


def test_batch_norm_decay():
    for name, decay in (("resnet50_v1", 0.997), ("resnet_slim", 0.997), ("mobilenet_v1", 0.9)):
        shipped = yaml.safe_load((ROOT / "conf" / "model" / f"{name}.yaml").read_text())
        assert shipped["batch_norm_momentum"] == decay


def test_weight_decay_and_dropout_of_mobilenet():
    model = {"name": "mobilenet_v1", "depth_multiplier": 0.1, "halvings": 0}
    data = load("digits", None)
    built = Network(experiment(model=model, train={"weight_decay": 1.0}), data)
    kernels = [
        layer.kernel
        for layer in built.model.layers
        if isinstance(layer, layers.Conv2D | layers.DepthwiseConv2D | layers.Dense)
    ]
    assert any(isinstance(layer, layers.DepthwiseConv2D) for layer in built.model.layers)
    (penalty,) = built.steps.penalties()
    expected = sum(float(np.sum(np.square(kernel.numpy()))) / 2 for kernel in kernels)
    np.testing.assert_allclose(float(penalty), expected, rtol=1e-4)
    assert not any(isinstance(layer, layers.Dropout) for layer in built.model.layers)


def test_an_epoch_shows_every_image_once():
    batches = Batches(60, 10, 0)
    seen = np.concatenate([batches.indices(step) for step in range(6)])
    assert sorted(seen) == list(range(60))


def test_the_document_states_these_values():
    text = (ROOT / "docs" / "protocol.md").read_text()
    stated = "\n".join(line for line in text.splitlines() if "Batch norm" in line)
    for value in (
        "| 1e-5 |",
        "1.001e-5",
        "| 0.001, Keras' default |",
        "| 0.997 (`model.",
        "| 0.9 in",
    ):
        assert value in stated
    assert keras.layers.BatchNormalization().epsilon == 0.001
