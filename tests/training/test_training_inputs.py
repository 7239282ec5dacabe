"""The inputs of a step: weighted classes, augmentation, statistics of the training images.

Training with weighted classes minimizes the weighted loss and reports the plain one.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
import training_examples as examples
from keras import layers

from qbench.config.model import Model
from qbench.data import split
from qbench.data.balance import batches_of, example_weights
from qbench.data.preprocessing import PREPROCESSING, Preparation, preparation
from qbench.data.slim import SLIM
from qbench.engine.run_record import data_facts
from qbench.models import MODELS
from qbench.training.loop import train_phase
from qbench.training.network import Network
from qbench.training.steps import Steps

RATE = 0.01
VALUES: dict[str, Any] = {
    "quant.enabled": False,
    "data.preprocessing": "scale",
    "train.weight_decay": 0.0,
    "train.optimizer": {"name": "sgd", "momentum": 0.0},
    "train.schedule": {"name": "constant"},
    "train.learning_rate": RATE,
    "train.steps": 1,
    "train.class_weights": "balanced",
}


def linear(shape: Any, classes: int) -> Any:
    image = keras.Input(shape)
    return keras.Model(image, layers.Dense(classes)(layers.Flatten()(image)))


def _experiment() -> Any:
    config = {**examples.CONFIG, "model": {"name": "linear"}}
    config["train"] = {**config["train"], **_train()}
    chosen = examples.Experiment.from_config(config)
    return chosen.with_values({k: v for k, v in VALUES.items() if not k.startswith("train.")})


def _train() -> dict[str, Any]:
    return {k.removeprefix("train."): v for k, v in VALUES.items() if k.startswith("train.")}


def test_a_step_against_numpy() -> None:
    digits = examples.digits()
    few = np.flatnonzero((digits.train_labels > 2) | (np.arange(len(digits.train_labels)) < 300))
    data = replace(
        digits, train_images=digits.train_images[few], train_labels=digits.train_labels[few]
    )
    chosen = _experiment()
    with MODELS.lent("linear", linear):
        network = Network(chosen, data)
        network.initialise(0)
        kernel, bias = (np.asarray(w, np.float64) for w in network.model.get_weights())
        losses: list[float] = []
        train_phase(network, chosen, data, "float", (0, 1), losses, lambda *_: None)
    indices = batches_of(chosen.train, data, 0).indices(0)
    weights = example_weights(chosen.train, data)
    assert weights is not None
    assert weights.max() > 1.5 * weights.min()
    x = data.train_images[indices].reshape(16, -1) / 255
    logits = x @ kernel + bias
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    wanted = np.eye(10)[data.train_labels[indices]]
    gradient = (shares - wanted) * weights[indices][:, np.newaxis] / 16
    found = network.model.get_weights()
    np.testing.assert_allclose(found[0], kernel - RATE * x.T @ gradient, atol=1e-7)
    np.testing.assert_allclose(found[1], bias - RATE * gradient.sum(axis=0), atol=1e-7)
    plain = -np.log((shares * wanted).sum(axis=1)).mean()
    assert losses[0] == pytest.approx(plain, rel=1e-6)


def test_augmentation_follows_from_seed_and_step() -> None:
    digits = examples.digits()
    values = {"data.augment": "rand", "data.preprocessing": "none", "quant.enabled": False}
    chosen = examples.experiment(values)
    prepare = preparation(chosen.data, digits)
    nothing: Any = None
    images, labels = digits.train_images[:32], digits.train_labels[:32]

    def augmented(seed: int, step: int, pixels: bool = False) -> Any:
        steps = Steps(chosen, digits, nothing, nothing, nothing, prepare)
        return np.asarray(steps.augmented(images, labels, seed, step, pixels)[0])

    first = augmented(0, 5)
    np.testing.assert_array_equal(first, augmented(0, 5))
    np.testing.assert_array_equal(first, augmented(0, 5, True))  # whole pixels already
    assert (first != augmented(0, 6)).any()
    assert (first != augmented(1, 5)).any()
    assert (first != images).any()


@pytest.mark.parametrize("name", ["vgg", "inception"])
def test_slims_preprocessing_follows_from_seed_and_step(name: str) -> None:
    digits = examples.digits()
    values = {"data.preprocessing": name, "data.slim_image_size": 24, "quant.enabled": False}
    images, labels = digits.train_images[:6], digits.train_labels[:6]
    nothing: Any = None

    def made(augment: bool | str, seed: int, step: int) -> Any:
        chosen = examples.experiment(values | {"data.augment": augment})
        prepare = preparation(chosen.data, digits)
        steps = Steps(chosen, digits, nothing, nothing, nothing, prepare)
        return np.asarray(steps.augmented(images, labels, seed, step)[0])

    first = made(True, 3, 5)
    assert first.shape == (6, 24, 24, 1)
    np.testing.assert_array_equal(first, made(f"slim_{name}", 3, 5))
    assert (first != made(True, 3, 6)).any()
    assert (first != made(True, 4, 5)).any()
    slim = SLIM[name]
    draws = tf.random.stateless_uniform((6, slim.draws), [3, 5], alg="philox")
    pixels = slim.train(images, draws, False, 24)  # digits are not mirrored
    np.testing.assert_array_equal(first, PREPROCESSING[name].scale(pixels))
    evaluated = Preparation(name, slim_image_size=24)(images)
    np.testing.assert_array_equal(made(False, 3, 5), evaluated)


def test_records_have_the_statistics_that_the_network_reads() -> None:
    """Of the training images alone, without the validation part."""
    digits = examples.digits()
    values = {"data.preprocessing": "mean_std", "data.validation": 200}
    facts = data_facts(examples.experiment(values), digits)
    rest = split(digits, examples.experiment(values).data).train_images
    assert len(rest) == 1198 - 200
    said = facts["pixel_statistics"]
    assert said["mean"] == pytest.approx([rest.mean()])
    assert said["standard_deviation"] == pytest.approx([rest.std()])
    assert "pixel_statistics" not in data_facts(examples.experiment(), digits)


def normalizing(shape: Any, classes: int) -> Any:
    image = keras.Input(shape)
    x = layers.Flatten()(layers.Normalization(axis=None, name="norm")(image))
    return keras.Model(image, layers.Dense(classes)(x))


def test_a_normalization_computes_with_the_values_of_the_state() -> None:
    """Keras copies mean and variance when its own functions load weights, and not otherwise."""
    digits = examples.digits()
    values = {"data.preprocessing": "none", "quant.enabled": False}
    chosen = replace(examples.experiment(values), model=Model(name="normalizing"))
    with MODELS.lent("normalizing", normalizing):
        network = Network(chosen, digits)
        network.initialise(0)
        state = network.state([])
        for place, weight in enumerate(network.model.weights):
            if weight.path.startswith("norm/") and weight.path.endswith(("mean", "variance")):
                value = 100.0 if weight.path.endswith("mean") else 25.0
                state.arrays[f"model.{place}"] = np.full(weight.shape, value, np.float32)
        network.set_state(state)
    kernel, bias = network.model.layers[-1].get_weights()
    images = digits.test_images[:4]
    expected = ((images - 100.0) / 5.0).reshape(4, -1) @ kernel + bias
    np.testing.assert_allclose(network.forward(None)(images), expected, rtol=1e-4, atol=1e-4)
    with MODELS.lent("normalizing", normalizing):
        network.initialise(0)
    np.testing.assert_allclose(network.model.get_layer("norm")(images), images, rtol=1e-6)
