"""Features that are made once, where a phase trains dense layers alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers

from qbench.base import device
from qbench.config.experiment import Experiment
from qbench.models import MODELS
from qbench.tasks.classification import Classification
from qbench.testing import networks
from qbench.training import held_features
from qbench.training.held_features import features_of
from qbench.training.network import Network

device.start(2)

SHAPE = (6, 6, 2)
COUNT = networks.COUNT
STEPS, START = 6, 2


def branches(shape: Any, outputs: int) -> Any:
    """Two held branches, one with a frozen normalization; dropout and two dense layers behind."""
    image = keras.Input(shape)
    x = layers.Conv2D(3, 3, name="conv1", activation="relu")(image)
    y = layers.BatchNormalization(name="norm")(layers.Conv2D(2, 3, name="conv2")(x))
    x, y = layers.Flatten(name="flat1")(x), layers.Flatten(name="flat2")(y)
    x = layers.Dense(4, name="dense1")(layers.Dropout(0.5)(x))
    x = layers.Concatenate(name="both")([x, y])
    return keras.Model(image, layers.Dense(outputs, name="head")(x))


def _experiment(model: str, scheme: dict[str, Any] | None = None, **quant: Any) -> Experiment:
    chosen = {"name": "qsq", "retrain": "dense", "length": 4, **(scheme or {})}
    given = {"freeze_batch_norm": True, "activation_bits": "float", **quant}
    return networks.experiment(model, {}, STEPS, START, chosen, given)


def _data() -> Any:
    pixels = networks.images(SHAPE)
    return networks.dataset(pixels, np.arange(COUNT) % 4, Classification(4))


def _network(build: Callable[..., Any], chosen: Experiment | None = None) -> Any:
    with MODELS.lent("features_network", build):
        chosen = chosen or _experiment("features_network")
        network = Network(chosen, _data())
        network.initialise(0)
    return network, chosen


def _features(network: Any, chosen: Experiment, data: Any = None) -> Any:
    applied = network.applied(chosen.scheme)
    return features_of(network.model, chosen, data or _data(), applied, "quantized")


def _weights(network: Any) -> list[Any]:
    return [weight.numpy() for weight in network.model.weights]


def _steps(network: Any, chosen: Experiment, numbers: range, step: Any = None) -> list[float]:
    step = step or network.step_in(chosen.scheme, "quantized")
    every = (np.arange(8) * 3 + number for number in numbers)
    pairs = zip(every, numbers, strict=True)
    return [float(step(some % COUNT, np.int64(0), np.int64(number))) for some, number in pairs]


@pytest.fixture(scope="module")
def both() -> tuple[Any, Experiment]:
    """The network of two branches, in its quantized phase."""
    network, chosen = _network(branches)
    network.enter(chosen.scheme, ("quantized",), 0, START)
    return network, chosen


def test_steps_on_features_are_those_on_images(both: Any) -> None:
    network, chosen = both
    state = network.state([], chosen.scheme)
    losses = _steps(network, chosen, range(START, STEPS))
    found = _weights(network)
    assert network.applied(chosen.scheme).compiled.features["quantized"][0] is not None
    network.set_state(state, chosen.scheme)
    before = _weights(network)
    scheme = chosen.scheme
    on_images = network.train_step(
        scheme.quantization_in("quantized"), scheme=scheme, phase="quantized"
    )
    assert losses == pytest.approx(_steps(network, chosen, range(START, STEPS), on_images), 1e-5)
    for weight, one, other, start in zip(
        network.model.weights, found, _weights(network), before, strict=True
    ):
        np.testing.assert_allclose(one, other, atol=1e-6, err_msg=weight.path)
        trained = weight.path.startswith(("dense1", "head"))
        assert np.array_equal(one, start) != trained, weight.path
    network.set_state(state, chosen.scheme)


def test_training_that_stops_between_goes_on_with_the_same_bits(both: Any) -> None:
    network, chosen = both
    start = network.state([], chosen.scheme)
    _steps(network, chosen, range(START, STEPS))
    whole = _weights(network)
    network.set_state(start, chosen.scheme)
    _steps(network, chosen, range(START, 4))
    between = network.state([], chosen.scheme)
    for weight in network.model.weights:  # another run uses the network, and leaves its features
        weight.assign(weight.numpy()[..., ::-1] + 0.1)
    features = network.applied(chosen.scheme).compiled.features["quantized"][0]
    before = features.values[0].numpy()
    network.enter(chosen.scheme, ("quantized",), 1, START)
    _steps(network, chosen, range(START, 4))
    assert np.abs(features.values[0].numpy() - before).max() > 0.01
    network.set_state(between, chosen.scheme)
    _steps(network, chosen, range(4, STEPS))
    for one, other in zip(_weights(network), whole, strict=True):
        np.testing.assert_array_equal(one, other)
    network.set_state(start, chosen.scheme)


def test_the_features_are_what_the_held_layers_compute(both: Any) -> None:
    network, chosen = both
    network.step_in(chosen.scheme, "quantized")
    features = network.applied(chosen.scheme).compiled.features["quantized"][0]
    images = network.prepare(_data().train_images)
    model = network.model
    expected = keras.Model(
        model.inputs, [model.get_layer(name).output for name in ("flat1", "flat2")]
    )(images)
    assert len(features.values) == 2
    for found, one in zip(features.values, expected, strict=True):
        np.testing.assert_allclose(found, one, rtol=1e-5, atol=1e-6)
    indices = np.array([5, 0, 31])
    for found, one in zip(features.gathered(indices), expected, strict=True):
        np.testing.assert_allclose(found, np.asarray(one)[indices], rtol=1e-5, atol=1e-6)


def early_dropout(shape: Any, outputs: int) -> Any:
    """Dropout before a held layer."""
    image = keras.Input(shape)
    x = layers.Conv2D(3, 3, name="conv")(layers.Dropout(0.5)(image))
    return keras.Model(image, layers.Dense(outputs, name="head")(layers.Flatten()(x)))


def regularized(shape: Any, outputs: int) -> Any:
    """A dense layer that adds a loss."""
    image = keras.Input(shape)
    x = layers.Flatten()(layers.Conv2D(3, 3, name="conv")(image))
    return keras.Model(image, layers.Dense(outputs, activity_regularizer="l2", name="head")(x))


def dense_first(shape: Any, outputs: int) -> Any:
    """A trained layer before the held one."""
    image = keras.Input(shape)
    x = layers.Conv2D(3, 3, name="conv")(layers.Dense(3, name="dense")(image))
    return keras.Model(image, layers.Dense(outputs, name="head")(layers.Flatten()(x)))


@pytest.mark.parametrize("build", [early_dropout, regularized, dense_first])
def test_steps_read_images_if_features_would_change(build: Any) -> None:
    network, chosen = _network(build)
    assert _features(network, chosen) is None
    network.enter(chosen.scheme, ("quantized",), 0, START)
    before = _weights(network)
    step = network.step_in(chosen.scheme, "quantized")
    assert step is network.train_step(
        chosen.scheme.quantization_in("quantized"), scheme=chosen.scheme, phase="quantized"
    )
    assert len(before) == len(_weights(network))


def test_steps_read_images_with_other_settings(both: Any, monkeypatch: Any) -> None:
    network, chosen = both
    assert _features(network, chosen) is not None
    augmented = replace(chosen, data=replace(chosen.data, augment=True))
    assert _features(network, augmented) is None
    for scheme, quant in (({"retrain": "all"}, {}), ({}, {"activation_bits": 8})):
        with MODELS.lent("features_network", branches):
            assert _features(network, _experiment("features_network", scheme, **quant)) is None
    size = 4 * COUNT * (4 * 4 * 3 + 2 * 2 * 2)
    monkeypatch.setattr(held_features, "MOST_BYTES", size)
    assert _features(network, chosen) is not None
    monkeypatch.setattr(held_features, "MOST_BYTES", size - 1)
    assert _features(network, chosen) is None
