from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from quantize_reference import debiased_average
from quantize_training import experiment

from qbench.data import load
from qbench.data.batches import Batches
from qbench.data.preprocessing import PREPROCESSING
from qbench.quantize.scheme import scheme_of
from qbench.training.loop import train
from qbench.training.network import Network

OPS = {
    "qdq_measured": {"op": "qdq_v2", "range_given": False},
    "qdq_given": {"op": "qdq_v2", "range_given": True},
    "fake_quant": {"op": "fake_quant"},
}
STEPS = 10


@pytest.fixture(scope="module")
def data():
    return load("digits", None)


@pytest.fixture(scope="module", params=list(OPS.values()), ids=list(OPS))
def chosen(request):
    # 3 float steps, then 7 quantized ones
    return experiment(quant={**request.param, "delay": 0.25}, train={"steps": STEPS})


@pytest.fixture(scope="module")
def network(chosen, data):
    return Network(chosen, data)


def one_step(network, scheme, indices, number):
    step = network.train_step(scheme)
    return step(indices, tf.constant(0, tf.int64), tf.constant(number, tf.int64))


def test_averages_count_every_step(network, chosen, data):
    network.initialise(0)
    assert float(network.averages.count.numpy()) == 0
    batches = Batches(len(data.train_images), 16, 0)
    scheme, before = scheme_of(chosen.quant), network.averages.averages.numpy()
    for number in range(6):
        one_step(network, None if number < 3 else scheme, batches.indices(number), number)
        assert float(network.averages.count.numpy()) == number + 1
        after = network.averages.averages.numpy()
        # every tensor's range has moved; the images' pixels reach from black to white in each batch
        assert np.all(np.any(after != before, axis=1)[1:])
        before = after


def test_the_whole_training(network, chosen, data):
    network.initialise(0)
    history = train(network, chosen, data, lambda *_: None)
    assert [row["phase"] for row in history] == ["float"] * 3 + ["quantized"] * 7
    assert float(network.averages.count.numpy()) == STEPS
    averages = network.averages.averages.numpy()
    assert np.all(np.isfinite(averages)) and np.all(averages[:, 0] <= averages[:, 1])
    relu = network.averages.tensors.index("stem_relu")
    assert averages[relu][0] == 0 < averages[relu][1]


def test_the_float_phase_is_that_of_a_float_run(network, chosen, data):
    network.initialise(0)
    quantized = train(network, chosen, data, lambda *_: None)
    network.initialise(0)
    plain = chosen.with_values({"quant.enabled": False})
    losses = [row["loss"] for row in train(network, plain, data, lambda *_: None)]
    assert [row["loss"] for row in quantized[:3]] == losses[:3]
    assert [row["loss"] for row in quantized[3:]] != losses[3:]


def test_a_run_repeats_itself_on_the_same_network(network, chosen, data):
    results = []
    for _ in range(2):
        network.initialise(3)
        history = train(network, chosen, data, lambda *_: None)
        results.append((history, network.weights_hash(), network.averages.averages.numpy()))
    assert results[0][:2] == results[1][:2]
    np.testing.assert_array_equal(results[0][2], results[1][2])


def test_averages_are_those_of_what_each_phase_measures(chosen, data):
    # With a learning rate of 0 every step can be measured again beside it.
    still = chosen.with_values({"train.learning_rate": 0})
    network = Network(still, data)
    network.initialise(0)
    scheme, batches = scheme_of(still.quant), Batches(len(data.train_images), 16, 0)
    measurements = []
    for number in range(STEPS):
        phase = None if number < 3 else scheme
        indices = batches.indices(number)
        x = PREPROCESSING["vgg"].scale(data.train_images[indices])
        measurements.append(network.view(phase).model([x], training=True)[1].numpy())
        one_step(network, phase, indices, number)
    expected = debiased_average(measurements, still.quant.ema_decay)[-1]
    # Eager and compiled steps may round apart, and next to a tie that shifts a value by a step.
    span = np.ptp(expected, axis=1, keepdims=True)
    assert np.all(np.abs(network.averages.averages.numpy() - expected) < 2e-3 * span)


def test_inference_reads_the_averages_only_where_a_range_is_given(network, chosen, data):
    network.initialise(0)
    train(network, chosen, data, lambda *_: None)
    forward = network.forward(scheme_of(chosen.quant))
    images = data.test_images[:20]
    before = forward(images).numpy()
    kept = network.averages.averages.numpy()
    network.averages.averages.assign(kept * 0.25)
    after = forward(images).numpy()
    network.averages.averages.assign(kept)
    given = chosen.quant.op == "fake_quant" or chosen.quant.range_given
    assert np.allclose(before, after, atol=1e-6) != given
    assert float(network.averages.count.numpy()) == STEPS  # inference measures nothing


def test_inference_of_one_image_depends_on_the_others_only_where_measured(network, chosen, data):
    network.initialise(0)
    train(network, chosen, data, lambda *_: None)
    forward = network.forward(scheme_of(chosen.quant))
    images = data.test_images[:50]
    together = forward(images).numpy()
    alone = np.concatenate([forward(images[k : k + 1]).numpy() for k in range(50)])
    given = chosen.quant.op == "fake_quant" or chosen.quant.range_given
    assert np.allclose(together, alone, atol=1e-4) == given


def test_images_are_measured_but_not_quantized(network, data):
    network.initialise(0)
    indices = np.arange(16)
    one_step(network, None, indices, 0)
    x = PREPROCESSING["vgg"].scale(data.train_images[indices]).numpy()
    assert network.averages.tensors[0] == "image"
    np.testing.assert_allclose(network.averages.averages.numpy()[0], [x.min(), x.max()], rtol=1e-6)
