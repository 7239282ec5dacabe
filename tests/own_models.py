"""A network of one's own under a name of the configuration, and a plain loop that trains it."""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from qbench.base import device
from qbench.config.experiment import Experiment
from qbench.data import load
from qbench.data.batches import Batches
from qbench.data.preprocessing import network_input
from qbench.models import MODELS
from qbench.training.loop import train
from qbench.training.network import Network

CONFIG = {
    "data": {"name": "digits", "preprocessing": "inception", "augment": False},
    "model": {"name": "own"},
    "quant": {"delay": 0.5, "placement": ["conv", "activation"]},
    "train": {
        "steps": 4,
        "batch_size": 16,
        "learning_rate": 0.05,
        "optimizer": {"name": "sgd", "momentum": 0.9},
        "schedule": {"name": "constant"},
        "weight_decay": 0.01,
        "log_every": 1,
    },
    "eval": {"batch_size": 100, "limit": 100},
    "threads": 2,
    "seed": 0,
}

# So many bits that quantization changes nothing that float32 could show.
_FINE = {"quant.bits": 30, "quant.delay": 0}
PHASES = {
    "float": {"quant.enabled": False},
    "quantized": _FINE,
    "folded": {**_FINE, "quant.fold_batch_norm": True},
    "folded and frozen": {
        **_FINE,
        "quant.fold_batch_norm": True,
        "quant.freeze_batch_norm": True,
    },
}


def register(monkeypatch, build, name="own"):
    """Makes `model.name=own` stand for `build(shape, classes)` until the test is over.

    Arguments of whichever model it takes the place of are left aside. Jobs keep networks by their
    configuration: give each network that they train a name.
    """
    monkeypatch.setitem(MODELS._items, name, lambda shape, classes, **_: build(shape, classes))


def experiment(values=None, optimizer=None):
    """CONFIG with some values and perhaps the optimizer changed."""
    train = {**CONFIG["train"], **({"optimizer": optimizer} if optimizer else {})}
    return Experiment.from_config({**CONFIG, "train": train}).with_values(values or {})


def digits():
    device.start(2)
    return load("digits", None)


def fresh(chosen):
    """A new network, initialised with the experiment's seed."""
    network = Network(chosen, digits())
    network.initialise(chosen.seed)
    return network


def trained(network, chosen):
    """Trains an initialised network; returns the history."""
    return train(network, chosen, digits(), lambda new, loss: None)


def plain(network, build):
    """The Keras model that `build` gives, with the weights of a network."""
    model = build((8, 8, 1), 10)
    model.set_weights(network.model.get_weights())
    return model


def plain_loop(model, chosen, update, before=None, training=True, penalties=True):
    """Trains a Keras model as one does without qbench, in float and step by step.

    `update(gradients, variables)` makes a step; `before(number)` is called before each.
    """
    data, settings = digits(), chosen.train
    batches = Batches(len(data.train_images), settings.batch_size, chosen.seed)
    for number in range(settings.steps):
        indices = batches.indices(number)
        images = network_input(tf.constant(data.train_images[indices]), "inception", None)
        if before is not None:
            before(number)
        with tf.GradientTape() as tape:
            logits = model(images, training=training)
            total = keras.losses.SparseCategoricalCrossentropy(from_logits=True)(
                data.train_labels[indices], logits
            )
            for kernel in _decayed(model):
                total += settings.weight_decay * 0.5 * tf.reduce_sum(tf.square(kernel.value))
            if penalties:
                total += sum(tf.reduce_sum(loss) for loss in model.losses)
        variables = model.trainable_variables
        update(tape.gradient(total, variables), variables)


def _decayed(model):
    names = ("kernel", "depthwise_kernel", "pointwise_kernel")
    kinds = (layers.Conv2D, layers.DepthwiseConv2D, layers.SeparableConv2D, layers.Dense)
    held = [layer for layer in model.layers if isinstance(layer, kinds)]
    found = [getattr(layer, name, None) for layer in held for name in names]
    return [kernel for kernel in found if kernel is not None]


def sgd(chosen):
    """Keras' own optimizer with the settings of an experiment."""
    settings = chosen.train.optimizer.arguments
    optimizer = keras.optimizers.SGD(chosen.train.learning_rate, **settings)
    return lambda gradients, variables: optimizer.apply(gradients, variables)


def furthest(one, other):
    """The largest difference between two lists of arrays, relative to the largest value."""
    scale = max(np.abs(array).max() for array in one)
    return max(np.abs(a - b).max() for a, b in zip(one, other, strict=True)) / scale


def trainable(model):
    return [variable.numpy() for variable in model.trainable_variables]
