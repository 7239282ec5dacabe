"""The contract of models: qbench's own and some from outside keep it, and each break is found."""

from __future__ import annotations

import functools
import itertools
from typing import Any

import keras
import nested_networks as nested
import numpy as np
import pytest
import regression_task
import unusual_networks as unusual
from held_networks import frozen_layers
from keras import layers, ops
from regression_task import Regression

from qbench.models import MODELS
from qbench.testing import check_model

POSITIONS = regression_task.spots(None)[1]
GOOD: dict[str, tuple[Any, dict[str, Any]]] = {
    "resnet_v1": (MODELS["resnet_v1"], {"blocks": 1, "width": 4}),
    "lenet": (MODELS["lenet"], {"shape": (16, 16, 1), "dense": 8}),
    "convnet": (MODELS["convnet"], {"shape": (12, 12, 3), "dense": 8}),
    "another shape": (unusual.own_layer, {"shape": (6, 10, 3)}),
    "dropout": (unusual.dropout, {"rate": 0.2}),
    "frozen": (frozen_layers, {}),
    "models inside": (nested.in_sequence, {}),
    "another task": (regression_task.small, {"task": Regression(1), "targets": POSITIONS}),
}


@pytest.mark.parametrize(("build", "arguments"), GOOD.values(), ids=GOOD.keys())
def test_a_model_keeps_it(build: Any, arguments: dict[str, Any]) -> None:
    before = MODELS.names()
    check_model(build, **arguments)
    assert MODELS.names() == before


class Idle(layers.Layer):
    """It has a weight that it does not use."""

    def build(self, shape: Any) -> None:
        self.idle = self.add_weight(shape=(3,), name="idle")

    def call(self, x: Any) -> Any:
        return x + 0.0


class Phased(layers.Layer):
    """It divides by 0 in evaluation."""

    def call(self, x: Any, training: bool = False) -> Any:
        return x if training else x / 0.0


class Forgetful(layers.Layer):
    """It saves something else than its weight."""

    def build(self, shape: Any) -> None:
        self.scale = self.add_weight(shape=(shape[-1],), initializer="random_normal", name="scale")

    def call(self, x: Any) -> Any:
        return x * self.scale

    def load_own_variables(self, store: Any) -> None:
        self.scale.assign(2 * store["0"][()])


def network(change: Any) -> Any:
    """The function of a small network with a change behind its convolution."""

    def build(shape: Any, classes: int) -> Any:
        image = keras.Input(shape)
        x = layers.Conv2D(4, 3, padding="same")(image)
        x = layers.GlobalAveragePooling2D()(change(layers.ReLU()(x)))
        return keras.Model(image, layers.Dense(classes)(x))

    return build


KEPT = functools.cache(network(lambda x: x))
WIDTH = itertools.count(2)
BROKEN: dict[str, tuple[Any, dict[str, Any], str]] = {
    "no function": (3, {}, "is of type int; expected a function"),
    "softmax": (unusual.softmax_at_the_end, {}, "it ends in a softmax"),
    "outputs": (unusual.one_class_too_few, {}, "it gives 9 logits, the data have 10 classes"),
    "arguments": (unusual.dropout, {"width": 3}, "model.width is not"),
    "it fails": (lambda shape, classes: {}["nothing"], {}, "cannot be built .*nothing"),
    "another each time": (
        network(lambda x: layers.Conv2D(next(WIDTH), 1)(x)),
        {},
        "makes another network each time",
    ),
    "other numbers": (
        network(lambda x: layers.Lambda(lambda y: y * np.random.random())(x)),
        {},
        "draws random numbers with Python or NumPy",
    ),
    "unused weight": (network(lambda x: Idle()(x)), {}, "no gradient of the float .*idle"),
    "stopped": (network(ops.stop_gradient), {}, "no gradient of the float network reaches conv2d"),
    "infinite": (network(lambda x: x / 0.0), {}, "the loss of the float network is not finite"),
    "infinite gradient": (
        network(lambda x: x + 1e-30 * ops.sqrt(x)),
        {},
        "the gradient of conv2d.* in the float network is not finite",
    ),
    "in evaluation": (network(lambda x: Phased()(x)), {}, "outputs of the float .* not finite"),
    "of the batch": (
        network(lambda x: x - ops.mean(x, axis=0, keepdims=True)),
        {},
        "the output for an image depends on the other images of its batch",
    ),
    "kept": (lambda shape, classes: KEPT(shape, classes), {}, "uses .* of the network that it bu"),
    "forgetful": (network(lambda x: Forgetful()(x)), {}, "after its weights are saved|saves"),
    "no targets": (regression_task.small, {"task": Regression(1)}, "regression needs targets"),
    "few targets": (
        regression_task.small,
        {"task": Regression(1), "targets": POSITIONS[:9]},
        "9 targets are too few; give 32 at least",
    ),
    "wrong targets": (
        regression_task.small,
        {"task": Regression(1), "targets": ["a"] * 40},
        "expected a finite number for each",
    ),
}


@pytest.mark.parametrize(("build", "arguments", "says"), BROKEN.values(), ids=BROKEN.keys())
def test_each_break_is_found(build: Any, arguments: dict[str, Any], says: str) -> None:
    with pytest.raises(AssertionError, match=says):
        check_model(build, **arguments)
