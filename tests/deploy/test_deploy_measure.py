"""Files measured in batches, and what stands in the way of making and running them."""

from __future__ import annotations

import errno
from dataclasses import replace

import keras
import numpy as np
import pytest
import tensorflow as tf
from deploy_examples import DEPLOY, images, measured, network, quant

from qbench.base.errors import NotConvertible, WrongFile
from qbench.data.preprocessing import Preparation, network_input
from qbench.deploy.convert import attempt, export
from qbench.deploy.export import export_model
from qbench.deploy.inputs import Feed
from qbench.deploy.lite import KERNELS, LiteFile, convert
from qbench.deploy.measure import Expected, measure
from qbench.models import MODELS
from qbench.tasks.classification import Classification
from qbench.testing import networks
from qbench.training.network import Network

LABELS = np.arange(64) % 5


@pytest.fixture(scope="module")
def exported():
    model = network()
    return export_model(model, measured(model), quant())[0]


@pytest.fixture(scope="module")
def content(exported):
    return convert(exported, "int8")


@pytest.fixture(scope="module")
def expected(exported):
    logits = exported(images(), training=False).numpy()
    return Expected(logits, 16.0, logits[:20], 16.0)


def batches(size=64):
    return [images()[k : k + size] for k in range(0, 64, size)]


def test_measure_compares_with_what_is_given(content, expected):
    labels = expected.outputs.argmax(axis=1)
    row = measure(content, expected, batches, labels, Classification(5)).kernels["reference"]
    assert row["agreement"] == row["accuracy"] > 95
    away = measure(
        content,
        replace(expected, outputs=-expected.outputs, most=None),
        batches,
        labels,
        Classification(5),
    ).kernels["reference"]
    assert away["agreement"] < row["agreement"]
    assert away["largest_difference"] > 10 > row["largest_difference"] > 0


@pytest.mark.parametrize("size", [1, 10, 64])
def test_figures_do_not_depend_on_the_batches(content, expected, size):
    whole = measure(content, expected, batches, LABELS, Classification(5))
    parts = measure(content, expected, lambda: batches(size), LABELS, Classification(5))
    assert parts.kernels == whole.kernels
    for path, arrays in whole.predictions.items():
        for name, array in arrays.items():
            np.testing.assert_array_equal(parts.predictions[path][name], array)


def test_batches_are_asked_for_one_at_a_time(content, expected, monkeypatch):
    """Each is run before the next one is made."""
    made, run = [], []
    whole = LiteFile.outputs
    monkeypatch.setattr(
        LiteFile, "outputs", lambda self, batch: (run.append(len(batch)), whole(self, batch))[1]
    )

    def inputs():
        for batch in batches(16):
            made.append(len(batch))
            yield batch
            assert run[-1:] == [16] and len(run) >= len(made)

    measure(content, expected, inputs, LABELS, Classification(5))
    assert made == [16] * 4 * len(KERNELS)


@pytest.mark.parametrize("error", [ValueError, RuntimeError])
def test_a_path_that_cannot_run_a_file_says_so(content, expected, monkeypatch, error):
    start, load = LiteFile.__init__, LiteFile.load

    def remember(self, content, kernels="xnnpack", *rest):
        self.path = kernels
        start(self, content, kernels, *rest)

    def refuse(self, codes):
        if self.path == "xnnpack":
            raise error("cannot be loaded\nmore lines")
        load(self, codes)

    monkeypatch.setattr(LiteFile, "__init__", remember)
    monkeypatch.setattr(LiteFile, "load", refuse)
    found = measure(content, expected, batches, LABELS, Classification(5)).kernels
    assert found["xnnpack"] == {"error": "cannot be loaded more lines"}
    assert "error" not in found["builtin"] and "error" not in found["reference"]


def test_what_the_runtime_does_not_take_is_an_error_of_the_path(exported, expected):
    content = convert(exported, "float")
    wide = [images().astype(np.float64)]
    with pytest.raises(WrongFile, match=r"no kernel path of the runtime runs the file \(xnnpack: "):
        measure(content, expected, lambda: wide, LABELS, Classification(5))


@pytest.mark.parametrize("resolution", [None, 5, 12])
@pytest.mark.parametrize("size", [1, 7, 100])
def test_inputs_are_the_networks_whatever_the_batch(resolution, size):
    feed = Feed(Preparation("inception", resolution))
    pixels = np.random.default_rng(2).integers(0, 256, (20, 8, 8, 3), np.uint8)
    parts = [batch.file for batch in feed.batches(pixels, size)]
    assert [len(part) for part in parts] == [size] * (20 // size) + [20 % size] * (20 % size > 0)
    whole = network_input(pixels, "inception", resolution).numpy()
    np.testing.assert_allclose(np.concatenate(parts), whole, rtol=0, atol=1e-6)
    assert parts[0].dtype == np.float32


def converter_that_raises(monkeypatch, error):
    def refuse(self):
        raise error

    converter = type(tf.lite.TFLiteConverter.from_concrete_functions([FUNCTION]))
    monkeypatch.setattr(converter, "convert", refuse)


FUNCTION = tf.function(lambda x: 2 * x).get_concrete_function(tf.TensorSpec((1,), tf.float32))


@pytest.mark.parametrize("error", [ValueError("no such op\nmore"), RuntimeError("no such op")])
def test_what_the_converter_refuses_is_not_convertible(exported, monkeypatch, error):
    converter_that_raises(monkeypatch, error)
    with pytest.raises(
        NotConvertible, match=r"^the converter refuses this model: no such op( more)?$"
    ):
        convert(exported, "int8")


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        OSError(errno.ENOSPC, "No space left on device"),
        tf.errors.ResourceExhaustedError(None, None, "out of memory"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_want_of_memory_or_disk_is_no_refusal(exported, monkeypatch, error):
    converter_that_raises(monkeypatch, error)
    with pytest.raises(type(error)):
        convert(exported, "int8")


def _tiny_logits(shape, classes):
    image = keras.Input(shape)
    x = keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(4, 3, name="conv")(image))
    return keras.Model(image, keras.layers.Rescaling(1e-10)(keras.layers.Dense(classes)(x)))


def test_tiny_logits_before_training_are_no_fault():
    """A real network's first logits may be tiny; training makes them larger."""
    with MODELS.lent("tests_tiny", _tiny_logits):
        chosen = networks.experiment("tests_tiny", {}, 4, 2, {"name": "uniform"}, DEPLOY)
        pixels = networks.images((8, 8, 1))
        data = networks.dataset(pixels, np.arange(len(pixels)) % 5, Classification(5))
        untrained = Network(chosen, data)
        attempt(untrained, chosen, data)
        with pytest.raises(WrongFile, match="has an output grid"):
            export(untrained, chosen, data)
